"""The networks of section 2.4: summaries h_omega and h_psi, flow q_phi, classifiers q_alpha and q_beta."""
