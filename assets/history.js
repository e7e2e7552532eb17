// One entry in the browser's history for each page that a visitor opens.
//
// Streamlit adds an entry whenever the program changes the address: while it leaves a page, while
// it restores the choices of the next one, and for every choice that is made by a button. Back
// would lead to addresses that nobody has seen. So only another page adds an entry, or a link to
// another view of the same page; otherwise the address of the present entry changes.
if (!window.hasOneEntryAPage) {
  window.hasOneEntryAPage = true;
  const push = history.pushState.bind(history);
  const replace = history.replaceState.bind(history);
  // Before a page is left, Streamlit drops the choices of the old page from its address: the entry
  // of that page keeps what it was when the visitor did something last.
  let seen = location.href;
  let isLink = false; // whether the last click was on a link to another view of the page
  const look = () => (seen = location.href);
  addEventListener("pointerdown", look, true);
  addEventListener("keydown", look, true);
  addEventListener("popstate", look, true);
  const notice = (event) => {
    look();
    const link = event.target.closest?.('[data-testid="stMain"] [data-testid^="stPageLink"] a');
    isLink = Boolean(link) && new URL(link.href).pathname === location.pathname;
  };
  addEventListener("click", notice, true);
  history.pushState = (state, title, url) => {
    const isSamePage = new URL(url, location.href).pathname === location.pathname;
    const isSameView = !isLink || new URL(url, location.href).href === seen;
    if (isSamePage && isSameView) {
      replace(state, title, url);
      return;
    }
    if (new URL(seen).pathname === location.pathname) replace(state, title, seen);
    push(state, title, url);
    // A link to another page opens it at its beginning, and so does a link within the page.
    if (isSamePage) document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0);
    isLink = false;
    look();
  };
}
