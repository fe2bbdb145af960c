"""A visitor of the page in Chromium: files that are chosen, what the page answers, files that it saves."""

import io

import pandas as pd

#: Milliseconds until a network has answered; on a busy machine it takes a while.
PATIENCE = 60_000


class Visitor:
    """A tab with the page, and all that went wrong or was asked for in it."""

    def __init__(self, browser, index, **options):
        self.context = browser.new_context(accept_downloads=True, **options)
        self.tab, self.errors, self.requests, self.answers = self.context.new_page(), [], [], 0
        self.tab.set_default_timeout(PATIENCE)
        self.tab.on("console", lambda m: self.errors.append(m.text) if m.type in ("error", "warning") else None)
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.goto(index.as_uri())

    def ready(self):
        """Once everything is loaded."""
        self.tab.wait_for_selector("html[data-ready]")
        self.loaded = len(self.requests)
        return self

    def fitted(self):
        """Once the next file or setting is answered: the problem that the page says, or nothing."""
        self.answers += 1
        self.tab.wait_for_selector(f'html[data-answers="{self.answers}"]')
        known = self.tab.locator("#problem .problem")
        return known.inner_text() if known.count() else ""

    def drop(self, path):
        """A file that is chosen: what the page says is wrong with it."""
        self.tab.set_input_files("#file", path)
        return self.fitted()

    def saved(self, button):
        """Text of a file that is saved."""
        with self.tab.expect_download() as known:
            self.tab.get_by_role("button", name=button, exact=True).click()
        return known.value.path().read_bytes()

    def table(self, button):
        return pd.read_csv(io.BytesIO(self.saved(button)), index_col=0)

    def leave(self):
        """Nothing was asked for after loading, and nothing went wrong."""
        assert self.errors == [] and self.requests[self.loaded :] == []
        self.context.close()
