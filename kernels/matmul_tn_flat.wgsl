//! matmul_tn_flat: matmul_tn without barriers, MG*4 rows by NG*4 columns an invocation
//! y[z,m,n] = alpha * sum_k a[z,k,m] b[z,k,n]
//!
//! in     a      [B, K, M]   T/4
//! in     b      [B, K, N]   W/4
//! out?   y      [Z, M, N]   T/4     Z = B
//! out?   part   [Z, M, N]   f32/4   instead of y: sums over one of Z/B slices of K, for matmul_reduce
//! param  alpha  f32                 scales the sums
//! tune   MG = 4    1 | 2 | 4        groups of four rows an invocation
//! tune   NG = 4    1 | 2 | 4        groups of four columns an invocation
//! tune   GV = 1    1
//! tune   LN = 8    1 | 2 | 4 | 8    invocations along N
//! tune   LM = 1    1 | 2 | 4 | 8    invocations along M
//! lib    matmul_flat matmul_a_cols matmul_b_cols matmul_store matmul_epilogue activation
//! grid   ceil(M/(LM*MG*4)), ceil(N/(LN*NG*4)), Z
//! flops  2*B*M*N*K
//! ref    tests/ref/matmul.ts
