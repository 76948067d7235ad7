"""Makes tests/fixtures/volumes/: small volumes of nibabel, h5py (BigDataViewer's layout), PyPI's zarr, tifffile and Pillow, and in
expected.json what these libraries read in them.

    pip install nibabel h5py zarr tifffile imagecodecs numpy pillow
    python tests/python/volumes.py

With --check DIR it reads what `convert volume` wrote to DIR and prints how it compares, as in tests/fixtures/volumes.txt:

    for f in i16_scaled.nii.gz u8_scaled.nii f32_channels.nii bdv.h5 v5_zstd.zarr ome.ome.tif imagej.tif slices16; do
      for e in nii ome.zarr ome.tif; do deno task convert volume tests/fixtures/volumes/$f DIR/${f%%.*}.$e; done
    done
    for f in v5_shard.zarr bdv.h5; do deno task convert volume tests/fixtures/volumes/$f DIR/${f%%.*}.v4.zarr --zarr 0.4; done
    python tests/python/volumes.py --check DIR
"""

import json
import os
import shutil
import sys

import h5py
import nibabel as nib
import numpy as np
import tifffile
import zarr
from PIL import Image

FOLDER = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "volumes"))
Z, Y, X = 5, 12, 10
expected = {}


def ramp(dtype, channels=1):
    """[z, y, x, c] with every number once or nearly so, in the range of the type."""
    n = np.arange(Z * Y * X * channels).reshape(Z, Y, X, channels)
    if dtype == "u1":
        return (n * 7 % 251).astype(dtype)
    if dtype == "i2":
        return (n * 31 - 9000).astype(dtype)
    if dtype in ("f4", "f8"):
        return (np.sin(n) * 100).astype(dtype)
    return (n * 31 + 17).astype(dtype)


def note(name, voxels, spacing, **more):
    voxels = np.asarray(voxels)
    expected[name] = {
        "shape": list(voxels.shape),
        "spacing": spacing,
        # As f64, which holds all types used here.
        "voxels": [float(v) for v in voxels.astype("f8").ravel()],
        **more,
    }


def nifti():
    def write(name, data, affine, unit="mm", slope=None, **more):
        image = nib.Nifti1Image(data, affine, **more)
        image.header.set_xyzt_units(unit)
        if slope is not None:
            image.header.set_slope_inter(*slope)
        nib.save(image, os.path.join(FOLDER, name))
        read = nib.load(os.path.join(FOLDER, name))
        scale = {"mm": 1e3, "micron": 1.0, "meter": 1e6}[unit]
        values = read.get_fdata()  # [x, y, z] or [x, y, z, 1, c]
        values = values.reshape(values.shape[:3] + (-1,)).transpose(2, 1, 0, 3)
        zooms = [float(v) * scale for v in read.header.get_zooms()[:3]]
        direction = read.affine[:3, :3] * scale
        lengths = np.linalg.norm(direction, axis=0)
        note(
            name,
            values,
            zooms[::-1],
            origin=[float(v) * scale for v in read.affine[:3, 3]],
            direction=(direction / lengths).T.tolist(),
        )

    turn = np.array([[0, -0.001, 0, 3], [0.001, 0, 0, -2], [0, 0, 0.004, 1], [0, 0, 0, 1.0]])
    plain = np.diag([0.001, 0.001, 0.004, 1])
    xyz = lambda dtype: ramp(dtype)[..., 0].transpose(2, 1, 0)
    write("i16_scaled.nii.gz", xyz("i2"), turn)
    # nibabel scales by itself only where it must: the header is set by hand.
    path = os.path.join(FOLDER, "u8_scaled.nii")
    stored = xyz("u1")
    header = nib.Nifti1Header()
    header.set_data_dtype("u1")
    header.set_data_shape(stored.shape)
    header.set_zooms((0.001, 0.001, 0.004))
    header.set_xyzt_units("mm")
    header["scl_slope"], header["scl_inter"] = 0.25, -3
    header["vox_offset"], header["magic"] = 352, b"n+1"
    with open(path, "wb") as file:
        file.write(header.binaryblock + bytes(4) + stored.tobytes(order="F"))
    read = nib.load(path)
    note("u8_scaled.nii", read.get_fdata().transpose(2, 1, 0)[..., None], [4, 1, 1])
    big = nib.Nifti1Image(xyz("u2"), plain, header=nib.Nifti1Header(endianness=">"))
    big.header.set_xyzt_units("mm")
    with open(os.path.join(FOLDER, "u16_big.nii"), "wb") as file:
        header = big.header.as_byteswapped(">") if big.header.endianness == "<" else big.header
        header["vox_offset"], header["magic"] = 352, b"n+1"
        header.set_data_dtype(np.dtype(">u2"))
        header.set_sform(plain, 2)
        file.write(header.binaryblock + bytes(4) + xyz("u2").astype(">u2").tobytes(order="F"))
    read = nib.load(os.path.join(FOLDER, "u16_big.nii"))
    assert read.header.endianness == ">"
    note("u16_big.nii", read.get_fdata().transpose(2, 1, 0)[..., None], [4, 1, 1])
    many = ramp("f4", 2).transpose(2, 1, 0, 3)[:, :, :, None, :]
    write("f32_channels.nii", many, plain * np.array([1e3, 1e3, 1e3, 1]), unit="micron")
    # qform alone.
    image = nib.Nifti1Image(xyz("i2"), None)
    image.header.set_xyzt_units("mm")
    image.header.set_qform(turn, 1)
    image.header.set_sform(None, 0)
    nib.save(image, os.path.join(FOLDER, "i16_qform.nii"))
    read = nib.load(os.path.join(FOLDER, "i16_qform.nii"))
    direction = read.affine[:3, :3]
    note(
        "i16_qform.nii",
        read.get_fdata().transpose(2, 1, 0)[..., None],
        [float(v) * 1e3 for v in read.header.get_zooms()[::-1]],
        origin=[float(v) * 1e3 for v in read.affine[:3, 3]],
        direction=(direction / np.linalg.norm(direction, axis=0)).T.tolist(),
    )
    none = nib.Nifti1Image(xyz("u1"), plain)
    none.header["xyzt_units"] = 0
    nib.save(none, os.path.join(FOLDER, "no_unit.nii"))


XML = """<?xml version="1.0" encoding="UTF-8"?>
<SpimData version="0.2">
  <BasePath type="relative">.</BasePath>
  <SequenceDescription>
    <ImageLoader format="bdv.hdf5"><hdf5 type="relative">bdv.h5</hdf5></ImageLoader>
    <ViewSetups>
      {setups}
      <Attributes name="channel"><Channel><id>0</id><name>nuclear</name></Channel><Channel><id>1</id><name>eosin</name></Channel></Attributes>
    </ViewSetups>
    <Timepoints type="range"><first>0</first><last>0</last></Timepoints>
  </SequenceDescription>
</SpimData>
"""
SETUP = """<ViewSetup><id>{i}</id><name>setup{i}</name><size>{x} {y} {z}</size>
        <voxelSize><unit>micrometer</unit><size>0.5 0.5 2.0</size></voxelSize>
        <attributes><illumination>0</illumination><channel>{i}</channel><tile>0</tile><angle>0</angle></attributes></ViewSetup>"""


def bdv():
    voxels = ramp("u2", 2) * 5 + 30000  # above what signed 16 bits hold
    half = voxels[:, ::2, ::2]
    with h5py.File(os.path.join(FOLDER, "bdv.h5"), "w") as file:
        for c in range(2):
            file[f"s{c:02}/resolutions"] = np.array([[1, 1, 1], [2, 2, 1]], "f8")
            file[f"s{c:02}/subdivisions"] = np.array([[4, 4, 4], [4, 4, 4]], "i4")
            for level, data in enumerate((voxels, half)):
                file.create_dataset(
                    f"t00000/s{c:02}/{level}/cells",
                    data=data[..., c].astype("u2").view("i2"),
                    chunks=(2, 4, 4),
                    compression="gzip",
                )
    with open(os.path.join(FOLDER, "bdv.xml"), "w") as file:
        file.write(XML.format(setups="\n      ".join(SETUP.format(i=i, x=X, y=Y, z=Z) for i in range(2))))
    with h5py.File(os.path.join(FOLDER, "bdv.h5")) as file:
        for level, spacing in ((0, [2, 0.5, 0.5]), (1, [2, 1, 1])):
            read = [file[f"t00000/s{c:02}/{level}/cells"][:].view("u2") for c in range(2)]
            note(f"bdv.h5 {level}", np.stack(read, -1), spacing, channels=["nuclear", "eosin"])


def ome_zarr():
    def image(name, version, voxels, unit="micrometer", scale=(4.0, 0.5, 0.5), **array):
        path = os.path.join(FOLDER, name)
        shutil.rmtree(path, ignore_errors=True)
        group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
        data = np.moveaxis(voxels, -1, 0)
        axes = [{"name": "c", "type": "channel"}] + [{"name": a, "type": "space", "unit": unit} for a in "zyx"]
        datasets = []
        for level in range(2):
            part = data[:, :, :: 2**level, :: 2**level]
            group.create_array(str(level), data=np.ascontiguousarray(part), **array)
            factor = 2.0**level
            numbers = [1.0, scale[0], scale[1] * factor, scale[2] * factor]
            datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": numbers}]})
        labels = {"channels": [{"label": f"gene {c}"} for c in range(data.shape[0])]}
        multiscales = [{"axes": axes, "datasets": datasets, **({"version": "0.4"} if version == "0.4" else {})}]
        if version == "0.4":
            group.attrs.update({"multiscales": multiscales, "omero": labels})
        else:
            group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales, "omero": labels}
        read = zarr.open_group(path, mode="r")
        factor = {"micrometer": 1, "nanometer": 1e-3}[unit]
        for level in range(2):
            values = np.moveaxis(read[str(level)][:], 0, -1)
            spacing = [v * factor for v in datasets[level]["coordinateTransformations"][0]["scale"][1:]]
            note(f"{name} {level}", values, spacing, channels=[f"gene {c}" for c in range(data.shape[0])])

    blosc = __import__("numcodecs").Blosc(cname="zstd")
    image("v4_blosc.zarr", "0.4", ramp("u2", 3), chunks=(2, 2, 5, 4), compressors=blosc)
    image("v4_plain_big.zarr", "0.4", ramp("f4", 1).astype(">f4"), chunks=(1, Z, Y, X), compressors=None)
    image("v5_zstd.zarr", "0.5", ramp("i2", 2), chunks=(1, 3, 5, 4), unit="nanometer", scale=(4000.0, 500.0, 500.0))
    image("v5_shard.zarr", "0.5", ramp("f4", 2), chunks=(1, 1, 6, 5), shards=(2, 5, 12, 10))


def tiff():
    path = lambda name: os.path.join(FOLDER, name)
    voxels = ramp("u2", 2)
    tifffile.imwrite(
        path("ome.ome.tif"),
        np.moveaxis(voxels, -1, 1),
        ome=True,
        compression="zlib",
        predictor=True,
        rowsperstrip=5,
        metadata={
            "axes": "ZCYX",
            "PhysicalSizeX": 250,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.25,
            "PhysicalSizeYUnit": "µm",
            "PhysicalSizeZ": 0.002,
            "PhysicalSizeZUnit": "mm",
            "Channel": {"Name": ["nuclear", "eosin"]},
        },
    )
    read = tifffile.imread(path("ome.ome.tif"))
    note("ome.ome.tif", np.moveaxis(read, 1, -1), [2, 0.25, 0.25], channels=["nuclear", "eosin"])
    tifffile.imwrite(
        path("imagej.tif"),
        ramp("f4")[..., 0],
        imagej=True,
        resolution=(2.0, 2.0),
        metadata={"axes": "ZYX", "spacing": 3.0, "unit": "um"},
    )
    note("imagej.tif", tifffile.imread(path("imagej.tif"))[..., None], [3, 0.5, 0.5])
    with tifffile.TiffWriter(path("pages_big.tif"), byteorder=">") as writer:
        for page in ramp("i2")[..., 0]:
            writer.write(page, tile=(16, 16), contiguous=False, metadata=None, compression="lzw")
    note("pages_big.tif", tifffile.imread(path("pages_big.tif"), key=range(Z))[..., None], None)


def slices():
    for name, dtype in (("slices16", "u2"), ("slices8", "u1")):
        folder = os.path.join(FOLDER, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for z, page in enumerate(ramp(dtype)[..., 0]):
            Image.fromarray(page).save(os.path.join(folder, f"section_{8 + z}.png"))
        read = [np.asarray(Image.open(os.path.join(folder, f"section_{8 + z}.png"))) for z in range(Z)]
        with open(os.path.join(folder, "volume.json"), "w") as file:
            json.dump({"spacing_um": [10, 0.5, 0.5], "channels": ["eosin"]}, file)
        note(name, np.stack(read)[..., None], [10, 0.5, 0.5], channels=["eosin"])


def check(folder):
    """Reads what `convert volume` made of these fixtures."""
    lines = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.endswith(".nii"):
            image = nib.load(path)
            values = image.get_fdata().reshape(image.shape[:3] + (-1,)).transpose(2, 1, 0, 3)
            spacing = [float(v) for v in image.header.get_zooms()[:3]][::-1]
            library = "nibabel"
        elif name.endswith(".zarr"):
            group = zarr.open_group(path, mode="r")
            attributes = group.attrs["ome"] if "ome" in group.attrs else dict(group.attrs)
            values = np.moveaxis(group["0"][:], 0, -1)
            spacing = attributes["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"][1:]
            library = f"zarr {zarr.__version__}"
        elif name.endswith(".tif"):
            with tifffile.TiffFile(path) as file:
                values = file.asarray()
                pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
                axes = file.series[0].axes
            values = values[..., None] if "C" not in axes else np.moveaxis(values, axes.index("C"), -1)
            spacing = [pixels[f"PhysicalSize{axis}"] for axis in "ZYX"]
            library = "tifffile"
        else:
            continue
        source = next(key for key in expected if key.split(" ")[0].split(".")[0] == name.split(".")[0])
        wanted = np.array(expected[source]["voxels"]).reshape(expected[source]["shape"])
        off = np.abs(values.astype("f8") - wanted).max()
        lines.append(f"{name}: {library}, {values.dtype} {values.shape}, spacing {spacing}, largest difference {off}")
    print("\n".join(lines))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        with open(os.path.join(FOLDER, "expected.json")) as file:
            expected = json.load(file)
        check(sys.argv[2])
    else:
        os.makedirs(FOLDER, exist_ok=True)
        for make in (nifti, bdv, ome_zarr, tiff, slices):
            make()
        with open(os.path.join(FOLDER, "expected.json"), "w") as file:
            json.dump(expected, file, separators=(",", ":"))
