// Case study 3, eq. 32, the states summed out by hmm_marginal. Times in seconds; y is (rt, 1 if correct, else 0).
// states = 1 also returns p(guessing at trial t | all trials, theta) for every draw.
functions {
  // log density of the first passage of a Wiener process at alpha with drift nu
  real wald_log_pdf(real t, real alpha, real nu) {
    return log(alpha) - 0.5 * log(2 * pi()) - 1.5 * log(t) - square(alpha - nu * t) / (2 * t);
  }
  // log P(first passage > t) = log(Phi(-x) - exp(2 alpha nu) Phi(-w)), in logs throughout
  real wald_log_survival(real t, real alpha, real nu) {
    real x = (nu * t - alpha) / sqrt(t);
    real w = (nu * t + alpha) / sqrt(t);
    return log_diff_exp(std_normal_lcdf(-x | ), 2 * alpha * nu + std_normal_lcdf(-w | ));
  }
  matrix transitions(array[] real stay) {
    return [[stay[1], 1 - stay[1]], [1 - stay[2], stay[2]]];
  }
  // log p(rt_i, choice_i | z_i = k) in row k
  matrix log_densities(vector rt, array[] int correct, vector alpha, real nu_guess, vector nu, real tau) {
    matrix[2, rows(rt)] log_omega;
    for (i in 1 : rows(rt)) {
      real t = rt[i] - tau;
      real nu_win = correct[i] ? nu[2] : nu[1];
      real nu_lose = correct[i] ? nu[1] : nu[2];
      log_omega[1, i] = wald_log_pdf(t, alpha[1], nu_guess) - log2();
      log_omega[2, i] = wald_log_pdf(t, alpha[2], nu_win) + wald_log_survival(t, alpha[2], nu_lose);
    }
    return log_omega;
  }
  // largest log density of each trial. hmm_marginal leaves the logarithms, and one response time that
  // neither state can explain would make the whole likelihood zero
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
  int<lower=1, upper=1> M;
  int<lower=2, upper=2> D;
  array[N] int<lower=1, upper=1> P;
  array[N, M] vector[D] y;
  array[2] real<lower=0> stay_prior;
  array[2] real alpha_1_prior;
  array[2] real alpha_gap_prior;
  array[2] real nu_1_prior;
  array[2] real nu_21_prior;
  array[2] real nu_gap_prior;
  real<lower=0> tau_rate_prior;
  int<lower=0, upper=1> states;
}
transformed data {
  vector<lower=0>[N] rt;
  array[N] int correct;
  vector[2] start = [0.5, 0.5]';
  for (i in 1 : N) {
    rt[i] = y[i, 1, 1];
    correct[i] = y[i, 1, 2] > 0.5;
  }
  real min_rt = min(rt);
}
parameters {
  array[2] real<lower=0, upper=1> stay;
  positive_ordered[2] alpha;
  real<lower=0> nu_guess;
  positive_ordered[2] nu;
  real<lower=0, upper=min_rt> tau;
}
model {
  matrix[2, N] log_omega = log_densities(rt, correct, alpha, nu_guess, nu, tau);
  row_vector[N] top = largest(log_omega);
  stay ~ beta(stay_prior[1], stay_prior[2]);
  alpha[1] ~ normal(alpha_1_prior[1], alpha_1_prior[2]);
  target += normal_lupdf(alpha[2] - alpha[1] | alpha_gap_prior[1], alpha_gap_prior[2]);
  nu_guess ~ normal(nu_1_prior[1], nu_1_prior[2]);
  nu[1] ~ normal(nu_21_prior[1], nu_21_prior[2]);
  target += normal_lupdf(nu[2] - nu[1] | nu_gap_prior[1], nu_gap_prior[2]);
  tau ~ exponential(tau_rate_prior);
  target += sum(top) + hmm_marginal(log_omega - rep_matrix(top, 2), transitions(stay), start);
}
generated quantities {
  vector[states ? N : 0] smoothing_1;
  if (states) {
    matrix[2, N] log_omega = log_densities(rt, correct, alpha, nu_guess, nu, tau);
    log_omega -= rep_matrix(largest(log_omega), 2);
    smoothing_1 = hmm_hidden_state_prob(log_omega, transitions(stay), start)[1]';
  }
}
