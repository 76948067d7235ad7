//! matmul_nn_matrix: matmul_nn by matrix units: operands rounded to f16, sums in f32
//! y[z,m,n] = alpha * (sum_k a[z,m,k] b[z,k,n] + sum_r h[m,r] e[r,n])
//!
//! in     a      [B, M, K]   T/4
//! in     b      [B, K, N]   W/4
//! in?    h      [M, R]      T/4     LoRA: gradient of its inner activations; B = 1
//! in?    e      [R, N]      f32/4   LoRA: its inner factor
//! out?   y      [Z, M, N]   T/4     Z = B
//! out?   part   [Z, M, N]   f32/4   instead of y: sums over one of Z/B slices of K, for matmul_reduce
//! param  alpha  f32                 scales the sums
//! tune   SM = 16   8 | 16            rows of a matrix unit
//! tune   SN = 16   8 | 16            its columns
//! tune   SK = 16   8 | 16            its steps
//! tune   SG = 32   4 | 8 | 16 | 32 | 64   invocations of a subgroup
//! tune   WM = 2    1 | 2 | 4         subgroups along M
//! tune   WN = 2    1 | 2 | 4         subgroups along N
//! tune   RM = 2    1 | 2 | 4 | 8     units along M a subgroup
//! tune   RN = 2    1 | 2 | 4 | 8     units along N a subgroup, of each half
//! tune   GV = 1    1                 one half
//! tune   PAD = 8   0 | 8             halves that follow a step of a tile, so that steps lie in different banks
//! tune   LOADS = 1  1 | 2 | 4 | 8 | 16   4x4 blocks an invocation fetches: (WM RM SM + WN RN GV SN) / (WM WN SG)
//! lib    matmul_matrix matrix_units matmul_a_rows matmul_b_cols matmul_store matmul_epilogue activation
//! grid   ceil(N/(WN*RN*SN)), ceil(M/(WM*RM*SM)), Z
//! flops  2*B*M*N*K + 2*M*N*R
//! ref    tests/ref/matmul.ts
