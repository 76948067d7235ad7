"""Layer decay and weight decay of timm's parameter groups, for tests/optim/param_groups_test.ts.

    python -m venv v && v/bin/pip install torch torchvision timm==1.0.9
    v/bin/python tests/python/param_groups.py > tests/fixtures/param_groups.json
"""
import json

from timm.models.vision_transformer import VisionTransformer
from timm.optim.optim_factory import param_groups_layer_decay


def groups(classes):
    model = VisionTransformer(
        img_size=32, patch_size=16, embed_dim=24, depth=3, num_heads=2, num_classes=classes, init_values=0.1
    )
    names = {id(p): n for n, p in model.named_parameters()}
    rows = {}
    for group in param_groups_layer_decay(model, 0.2, model.no_weight_decay(), layer_decay=0.7):
        for p in group["params"]:
            rows[names[id(p)]] = {
                "shape": list(p.shape),
                "lr_scale": group["lr_scale"],
                "weight_decay": group["weight_decay"],
            }
    return rows


print(json.dumps({"no_head": groups(0), "head": groups(5)}, indent=1))
