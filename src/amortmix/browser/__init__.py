"""A page that fits data in a visitor's own browser: `amortmix.browser.assemble` puts it together."""
