"""Stan: the models of the paper and one interface to the engines that can run them."""
