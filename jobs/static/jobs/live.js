/* Keeps a page up to date that says how often it changes: reads it again and replaces the regions that it names. Without
   this script the page is as true as when it was loaded. */

"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const REST_SECONDS = 300; // without a key, a pointer or a scroll: then nobody is looking
    const RESTING_FACTOR = 12;
    const TIMEOUT_MS = 20000;

    const page = document.querySelector("[data-qc-live]");
    if (!page || !page.dataset.qcLive) return; // nothing changes there any more

    const regions = (root) => root.querySelectorAll("[data-qc-region]");
    let usedAt = Date.now();
    let isPaused = false;
    let isOver = false;
    let failures = 0;
    let timer = 0;

    for (const event of ["pointermove", "keydown", "scroll", "focusin"]) {
        document.addEventListener(event, () => { usedAt = Date.now(); }, { passive: true });
    }

    const button = document.createElement("button");
    button.type = "button";
    button.className = "qc-button";
    button.textContent = page.dataset.qcPause;
    button.addEventListener("click", () => {
        isPaused = !isPaused;
        button.textContent = isPaused ? page.dataset.qcResume : page.dataset.qcPause;
        plan(isPaused ? null : 0);
    });
    page.querySelector(".qc-controls").append(button);

    // What a person is in the middle of stays: the element with the focus, what is selected, a detail that is open.
    function isSelectedIn(region) {
        const selection = document.getSelection();
        return selection && !selection.isCollapsed && selection.containsNode(region, true);
    }

    function isInUse(region) {
        return region.contains(document.activeElement)
            || region.matches("details[open]") || region.querySelector("details[open], :checked") !== null
            || isSelectedIn(region);
    }

    function withoutTexts(region) {
        const copy = region.cloneNode(true);
        for (const text of copy.querySelectorAll("pre")) text.textContent = "";
        return copy.outerHTML;
    }

    // A text that someone scrolls in grows where it stands; one that is read at its end stays at its end.
    function renewTexts(region, other) {
        if (withoutTexts(region) !== withoutTexts(other) || isSelectedIn(region)) return false;
        const [ours, theirs] = [region, other].map((root) => [...root.querySelectorAll("pre")]);
        ours.forEach((text, place) => {
            const isAtEnd = text.scrollTop + text.clientHeight >= text.scrollHeight - 4;
            text.textContent = theirs[place].textContent;
            if (isAtEnd) text.scrollTop = text.scrollHeight;
        });
        return true;
    }

    // The last state is shown whole, whatever is in use: nothing would correct it later.
    function replace(fresh, isLast) {
        const found = new Map([...regions(fresh)].map((region) => [region.dataset.qcRegion, region]));
        for (const region of regions(page)) {
            const other = found.get(region.dataset.qcRegion);
            if (!other || other.outerHTML === region.outerHTML || renewTexts(region, other)) continue;
            if (isLast || !isInUse(region)) region.replaceWith(document.importNode(other, true));
        }
    }

    function end(words) {
        isOver = true;
        button.replaceWith(words);
    }

    async function read() {
        const response = await fetch(location.href, {
            credentials: "same-origin", headers: { "X-Requested-With": "fetch" }, signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        if (response.status >= 500) throw new Error(String(response.status));
        const text = response.ok ? await response.text() : "";
        const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("[data-qc-live]");
        if (fresh === null) { // logged out, or no longer allowed
            end(page.dataset.qcLost);
            return;
        }
        const isLast = !fresh.dataset.qcLive;
        replace(fresh, isLast);
        if (isLast) end("");
        else page.dataset.qcLive = fresh.dataset.qcLive;
    }

    async function update() {
        if (!document.hidden && !isPaused) {
            try {
                await read();
                failures = 0;
            } catch {
                failures += 1; // the server is away for a moment
            }
        }
        if (!isOver && !isPaused) plan();
    }

    function plan(seconds) {
        clearTimeout(timer);
        if (seconds === null) return;
        const every = Number(page.dataset.qcLive);
        const resting = Date.now() - usedAt > REST_SECONDS * 1000 ? RESTING_FACTOR : 1;
        const pause = seconds ?? Math.min(300, every * resting * 2 ** Math.min(failures, 6));
        timer = setTimeout(update, pause * 1000);
    }

    document.addEventListener("visibilitychange", () => {
        if (!document.hidden && !isPaused && !isOver) plan(0);
    });
    plan();
});
