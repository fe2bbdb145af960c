"""The spatial example of Zammit-Mangion, Sainsbury-Dale & Huser (2025), by all methods of their review.

A. Zammit-Mangion, M. Sainsbury-Dale & R. Huser (2025). Neural methods for amortized inference. Annual Review of
Statistics and Its Application 12, 311-335. https://doi.org/10.1146/annurev-statistics-112723-034123
"""

#: Methods in the order of the page, with their names there.
METHODS = {
    "exact": "exact posterior",
    "neural_bayes": "neural Bayes estimator",
    "forward_kl": "forward KL",
    "reverse_kl_exact": "reverse KL, exact likelihood",
    "reverse_kl_synthetic": "reverse KL, synthetic likelihood",
    "synthetic": "synthetic likelihood",
    "ratio": "ratio estimation",
}
#: Method -> the one whose likelihood it is trained with.
RESTS_ON = {"reverse_kl_exact": "exact", "reverse_kl_synthetic": "synthetic"}
#: Parameters of the three fields whose posteriors are shown and fitted by MCMC.
SHOWN = (0.05, 0.2, 0.5)
