enable chromium_experimental_subgroup_matrix;
enable subgroups;
// Matrix units: what one subgroup multiplies at once, SM x SK by SK x SN, of f16 with sums of f32. WebGPU has a draft of them
// that still moves; this file alone knows its words. Tiles are scalars, step by step of the reduction, so that the first operand
// lies by columns and the second by rows.

alias Left = subgroup_matrix_left<f16, SK, SM>;
alias Right = subgroup_matrix_right<f16, SN, SK>;
alias Sums = subgroup_matrix_result<f32, SN, SM>;

// Rows from `at` of the first tile, SK steps.
fn leftAt(at: u32) -> Left { return subgroupMatrixLoad<Left, col_major>(&tileA, at, LDA); }

// Columns from `at` of the second tile, SK steps.
fn rightAt(at: u32) -> Right { return subgroupMatrixLoad<Right, row_major>(&tileB, at, LDB); }

fn multiplyAdd(a: Left, b: Right, sums: Sums) -> Sums { return subgroupMatrixMultiplyAccumulate(a, b, sums); }

// Row by row into workgroup memory.
fn storeSums(at: u32, sums: Sums) { subgroupMatrixStore<row_major>(&area, at, sums, SN); }
