// Case study 2, eq. 31, the states summed out by hmm_marginal.
// states = 1 also returns p(z_t = 1 | y_1:N, theta) for every draw.
functions {
  matrix transitions(array[] real stay) {
    return [[stay[1], 1 - stay[1]], [1 - stay[2], stay[2]]];
  }
  // log p(y_t | z_t = k) in row k
  matrix log_densities(vector mu, vector constant, vector y_sum, vector n_obs) {
    matrix[2, rows(constant)] log_omega;
    for (k in 1 : 2) {
      log_omega[k] = (constant + mu[k] * y_sum - 0.5 * square(mu[k]) * n_obs)';
    }
    return log_omega;
  }
  // largest log density of each unit. hmm_marginal leaves the logarithms, and one observation that
  // is 40 standard deviations from every state would make the whole likelihood zero
  row_vector largest(matrix log_omega) {
    row_vector[cols(log_omega)] top;
    for (i in 1 : cols(log_omega)) {
      top[i] = max(log_omega[ : , i]);
    }
    return top;
  }
}
data {
  int<lower=1> N;
  int<lower=1> M;
  int<lower=1, upper=1> D;
  array[N] int<lower=0, upper=M> P;
  array[N, M] vector[D] y; // the first P[i] of unit i are real
  array[2] real<lower=0> stay_prior;
  vector[2] mu_loc_prior;
  real<lower=0> mu_scale_prior;
  int<lower=0, upper=1> states;
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
  vector[2] start = [0.5, 0.5]';
}
parameters {
  array[2] real<lower=0, upper=1> stay;
  ordered[2] mu;
}
model {
  matrix[2, N] log_omega = log_densities(mu, constant, y_sum, n_obs);
  row_vector[N] top = largest(log_omega);
  stay ~ beta(stay_prior[1], stay_prior[2]);
  mu ~ normal(mu_loc_prior, mu_scale_prior);
  target += sum(top) + hmm_marginal(log_omega - rep_matrix(top, 2), transitions(stay), start);
}
generated quantities {
  vector[states ? N : 0] smoothing_1;
  if (states) {
    matrix[2, N] log_omega = log_densities(mu, constant, y_sum, n_obs);
    log_omega -= rep_matrix(largest(log_omega), 2);
    smoothing_1 = hmm_hidden_state_prob(log_omega, transitions(stay), start)[1]';
  }
}
