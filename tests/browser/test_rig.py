"""The rig itself notices what the other tests rely on it to notice."""

from typing import Any

from tests.browser.rig import Tab

BAD = """<h1>Bad</h1><input name="nameless"><p style="color: #eee">pale</p><script>alert("inline")</script>
<img src="http://127.0.0.1:9/elsewhere" alt="">"""


def with_bad_content(route: Any) -> None:
    response = route.fetch()
    route.fulfill(response=response, body=response.text().replace("<h1", f"{BAD}<h1", 1))


def test_it_notices_what_no_page_may_do(tab: Tab):
    tab.page.route("**/dashboard/", with_bad_content)

    tab.open("dashboard/")
    with tab.page.expect_event("dialog"):
        tab.page.evaluate("alert('a dialog')")
    problems = "\n".join(tab.problems)
    tab.problems.clear()

    assert "Executing inline script violates" in problems
    assert "Applying inline style violates" in problems
    assert "127.0.0.1:9/elsewhere" in problems
    assert "dialog: a dialog" in problems
    assert "dialog: inline" not in problems
    assert any(barrier.startswith("label:") for barrier in tab.barriers())
