// Case study 2, eq. 31, the states summed out by hmm_marginal.
// states = 1 also returns p(z_t = 1 | y_1:N, theta) for every draw.
data {
  int<lower=1> N;
  array[N] int<lower=1> P;
  vector[N] y_sum;
  vector[N] y_sq;
  array[2] real<lower=0> stay;
  vector[2] mu_loc;
  real<lower=0> mu_scale;
  int<lower=0, upper=1> states;
}
transformed data {
  vector[N] n_obs = to_vector(P);
  vector[N] constant = -0.5 * y_sq - 0.5 * n_obs * log(2 * pi());
  vector[2] start = [0.5, 0.5]';
}
parameters {
  real<lower=0, upper=1> alpha_11;
  real<lower=0, upper=1> alpha_22;
  ordered[2] mu;
}
transformed parameters {
  matrix[2, 2] Gamma = [[alpha_11, 1 - alpha_11], [1 - alpha_22, alpha_22]];
  matrix[2, N] log_omega;
  for (k in 1 : 2) {
    log_omega[k] = (constant + mu[k] * y_sum - 0.5 * square(mu[k]) * n_obs)';
  }
}
model {
  alpha_11 ~ beta(stay[1], stay[2]);
  alpha_22 ~ beta(stay[1], stay[2]);
  mu ~ normal(mu_loc, mu_scale);
  target += hmm_marginal(log_omega, Gamma, start);
}
generated quantities {
  vector[states ? N : 0] smoothing_1;
  if (states) {
    smoothing_1 = hmm_hidden_state_prob(log_omega, Gamma, start)[1]';
  }
}
