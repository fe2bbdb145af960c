// Case study 1, eq. 30, the classes summed out. A unit enters through the sum and the sum of squares of
// its observations, which is all that a Gaussian likelihood with unit variance needs.
data {
  int<lower=1> N;
  array[N] int<lower=1> P;
  vector[N] y_sum;
  vector[N] y_sq;
  vector<lower=0>[3] pi_concentration;
  vector[3] mu_loc;
  real<lower=0> mu_scale;
}
transformed data {
  vector[N] n_obs = to_vector(P);
  vector[N] constant = -0.5 * y_sq - 0.5 * n_obs * log(2 * pi());
}
parameters {
  simplex[3] pi;
  ordered[3] mu;
}
model {
  matrix[N, 3] lp;
  pi ~ dirichlet(pi_concentration);
  mu ~ normal(mu_loc, mu_scale);
  for (k in 1 : 3) {
    lp[, k] = log(pi[k]) + constant + mu[k] * y_sum - 0.5 * square(mu[k]) * n_obs;
  }
  for (i in 1 : N) {
    target += log_sum_exp(lp[i]);
  }
}
