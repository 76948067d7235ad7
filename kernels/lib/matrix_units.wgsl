enable chromium_experimental_subgroup_matrix;
enable subgroups;
// Matrix units: what one subgroup multiplies at once, SM x SK by SK x SN, of f16 with sums of f32. WebGPU has a draft of them
// that still moves; this file alone knows its words. Tiles are arrays of scalars.

alias Left = subgroup_matrix_left<f16, SK, SM>;
alias Right = subgroup_matrix_right<f16, SN, SK>;
alias Sums = subgroup_matrix_result<f32, SN, SM>;

fn multiplyAdd(a: Left, b: Right, sums: Sums) -> Sums { return subgroupMatrixMultiplyAccumulate(a, b, sums); }

//!if WM
// Products: both tiles step by step of the reduction, so that the first operand lies by columns and the second by rows.
// Rows from `at` of the first tile, SK steps.
fn leftAt(at: u32) -> Left { return subgroupMatrixLoad<Left, col_major>(&tileA, at, LDA); }

// Columns from `at` of the second tile, SK steps.
fn rightAt(at: u32) -> Right { return subgroupMatrixLoad<Right, row_major>(&tileB, at, LDB); }

// Row by row into workgroup memory.
fn storeSums(at: u32, sums: Sums) { subgroupMatrixStore<row_major>(&area, at, sums, SN); }
//!end
//!if E4
// Attention: a tile of keys or values row by row, LD apart; weights of rows and what becomes of rows BK apart.
// Rows from `at` of the weights, SK keys.
fn weightsAt(at: u32) -> Left { return subgroupMatrixLoad<Left, row_major>(&weights, at, BK); }

// Rows from `at` of the tile, SK channels.
fn rowsAt(at: u32) -> Left { return subgroupMatrixLoad<Left, row_major>(&tile, at, LD); }

// SN keys from `at` of the tile, SK channels: they are its rows and become columns.
fn keysAt(at: u32) -> Right { return subgroupMatrixLoad<Right, col_major>(&tile, at, LD); }

// SN channels from `at` of the tile, SK keys.
fn valuesAt(at: u32) -> Right { return subgroupMatrixLoad<Right, row_major>(&tile, at, LD); }

fn storeRows(at: u32, sums: Sums) { subgroupMatrixStore<row_major>(&rows, at, sums, BK); }
//!end
