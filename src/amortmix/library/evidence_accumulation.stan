// Case study 3, eq. 32, the states summed out by hmm_marginal. Times in seconds.
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
}
data {
  int<lower=1> N;
  vector<lower=0>[N] rt;
  array[N] int<lower=0, upper=1> correct;
  array[2] real<lower=0> stay;
  array[2] real alpha_1_prior;
  array[2] real alpha_gap_prior;
  array[2] real nu_1_prior;
  array[2] real nu_21_prior;
  array[2] real nu_gap_prior;
  real<lower=0> tau_rate;
  int<lower=0, upper=1> states;
}
transformed data {
  real min_rt = min(rt);
  vector[2] start = [0.5, 0.5]';
}
parameters {
  real<lower=0, upper=1> rho_11;
  real<lower=0, upper=1> rho_22;
  real<lower=0> alpha_1;
  real<lower=0> alpha_gap;
  real<lower=0> nu_1;
  real<lower=0> nu_21;
  real<lower=0> nu_gap;
  real<lower=0, upper=min_rt> tau;
}
transformed parameters {
  matrix[2, 2] Gamma = [[rho_11, 1 - rho_11], [1 - rho_22, rho_22]];
  matrix[2, N] log_omega;
  {
    real alpha_2 = alpha_1 + alpha_gap;
    real nu_22 = nu_21 + nu_gap;
    for (i in 1 : N) {
      real t = rt[i] - tau;
      real nu_win = correct[i] ? nu_22 : nu_21;
      real nu_lose = correct[i] ? nu_21 : nu_22;
      log_omega[1, i] = wald_log_pdf(t, alpha_1, nu_1) - log2();
      log_omega[2, i] = wald_log_pdf(t, alpha_2, nu_win) + wald_log_survival(t, alpha_2, nu_lose);
    }
  }
}
model {
  rho_11 ~ beta(stay[1], stay[2]);
  rho_22 ~ beta(stay[1], stay[2]);
  alpha_1 ~ normal(alpha_1_prior[1], alpha_1_prior[2]);
  alpha_gap ~ normal(alpha_gap_prior[1], alpha_gap_prior[2]);
  nu_1 ~ normal(nu_1_prior[1], nu_1_prior[2]);
  nu_21 ~ normal(nu_21_prior[1], nu_21_prior[2]);
  nu_gap ~ normal(nu_gap_prior[1], nu_gap_prior[2]);
  tau ~ exponential(tau_rate);
  target += hmm_marginal(log_omega, Gamma, start);
}
generated quantities {
  vector[states ? N : 0] smoothing_1;
  if (states) {
    smoothing_1 = hmm_hidden_state_prob(log_omega, Gamma, start)[1]';
  }
}
