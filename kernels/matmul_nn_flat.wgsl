//! matmul_nn_flat: matmul_nn without barriers, MG*4 rows by NG*4 columns an invocation
//! y[z,m,n] = alpha * (sum_k a[z,m,k] b[z,k,n] + sum_r h[m,r] e[r,n])
//!
//! in     a      [B, M, K]   T/4
//! in     b      [B, K, N]   W/4
//! in?    h      [M, R]      T/4     LoRA: gradient of its inner activations; B = 1
//! in?    e      [R, N]      f32/4   LoRA: its inner factor
//! out?   y      [Z, M, N]   T/4     Z = B
//! out?   part   [Z, M, N]   f32/4   instead of y: sums over one of Z/B slices of K, for matmul_reduce
//! param  alpha  f32                 scales the sums
//! tune   MG = 4    1 | 2 | 4        groups of four rows an invocation
//! tune   NG = 4    1 | 2 | 4        groups of four columns an invocation
//! tune   GV = 1    1
//! tune   LN = 8    1 | 2 | 4 | 8    invocations along N
//! tune   LM = 1    1 | 2 | 4 | 8    invocations along M
//! lib    matmul_flat matmul_a_rows matmul_b_cols matmul_store matmul_epilogue activation
//! grid   ceil(M/(LM*MG*4)), ceil(N/(LN*NG*4)), Z
//! flops  2*B*M*N*K + 2*M*N*R
//! ref    tests/ref/matmul.ts
