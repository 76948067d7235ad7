//! matmul_nt: product with a stored transposed, as nn.Linear keeps weights, and everything that may follow it
//! y[z,m,n] = residual[m,n] + gamma[n] * act(alpha * (sum_k a[z,m,k] b[z,n,k] + sum_r h[m,r] e[n,r]) + bias[n])
//!
//! in     a         [B, M, K]   T/4
//! in     b         [B, N, K]   W/4
//! in?    h         [M, R]      T/4     LoRA: its inner activations; B = 1
//! in?    e         [N, R]      f32/4   LoRA: its outer factor
//! in?    bias      [N]         f32/4
//! in?    gamma     [F]         f32/4
//! in?    residual  [M, F]      T/4     B = 1
//! out?   y         [Z, M, F]   T/4     Z = B; F = N, or N/2 for swiglu
//! out?   pre       [M, N]      T/4     before act, for backward; B = 1
//! out?   part      [Z, M, N]   f32/4   instead of y: sums over one of Z/B slices of K, for matmul_reduce
//! param  alpha     f32                 scales the sums
//! option act       none | gelu | silu | swiglu
//! tune   TX = 8    8 | 16              invocations along N
//! tune   TY = 8    8 | 16              invocations along M
//! tune   MG = 2    1 | 2               groups of four rows an invocation
//! tune   NG = 2    1 | 2               groups of four columns an invocation
//! tune   GV = 1    1 | 2               2 for swiglu: columns n and n + F
//! tune   LOADS = 2  1 | 2              4x4 blocks an invocation fetches: 2 K8 (MG TY + NG GV TX) / (TX TY)
//! tune   K8 = 2    1 | 2 | 4           eights of steps of the reduction at a time
//! tune   AHEAD = 1  0 | 1              the next tile is fetched while one is used
//! tune   OWN = 0   0 | 1               tiles are stored by the invocation that reads them
//! lib    matmul_tiled matmul_tile matmul_a_rows matmul_b_rows matmul_store matmul_epilogue activation
//! grid   ceil(N/(TX*NG*GV*4)), ceil(M/(TY*MG*4)), Z
//! flops  2*B*M*N*K + 2*M*N*R
//! ref    tests/ref/matmul.ts
