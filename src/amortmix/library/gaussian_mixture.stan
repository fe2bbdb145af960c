// Case study 1, eq. 30, the classes summed out. A unit enters through the sum and the sum of squares of
// its observations, which is all that a Gaussian likelihood with unit variance needs.
data {
  int<lower=1> N;
  int<lower=1> M;
  int<lower=1, upper=1> D;
  array[N] int<lower=0, upper=M> P;
  array[N, M] vector[D] y; // the first P[i] of unit i are real
  vector<lower=0>[3] pi_concentration_prior;
  vector[3] mu_loc_prior;
  real<lower=0> mu_scale_prior;
}
transformed data {
  vector[N] y_sum = rep_vector(0, N);
  vector[N] y_sq = rep_vector(0, N);
  vector[N] n_obs = to_vector(P);
  for (i in 1 : N) {
    for (j in 1 : P[i]) {
      y_sum[i] += y[i, j, 1];
      y_sq[i] += square(y[i, j, 1]);
    }
  }
  vector[N] constant = -0.5 * y_sq - 0.5 * n_obs * log(2 * pi());
}
parameters {
  simplex[3] pi;
  ordered[3] mu;
}
model {
  matrix[N, 3] lp;
  pi ~ dirichlet(pi_concentration_prior);
  mu ~ normal(mu_loc_prior, mu_scale_prior);
  for (k in 1 : 3) {
    lp[, k] = log(pi[k]) + constant + mu[k] * y_sum - 0.5 * square(mu[k]) * n_obs;
  }
  for (i in 1 : N) {
    target += log_sum_exp(lp[i]);
  }
}
