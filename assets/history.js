// One entry in the browser's history for each page that a visitor opens.
//
// Streamlit adds an entry whenever the program changes the address: while it leaves a page, while
// it restores the choices of the next one, and for every choice that is made by a button. Back
// would lead to addresses that nobody has seen. So only another page adds an entry; on the same
// page, the address of the present entry changes.
if (!window.hasOneEntryAPage) {
  window.hasOneEntryAPage = true;
  const push = history.pushState.bind(history);
  const replace = history.replaceState.bind(history);
  // Before a page is left, Streamlit drops the choices of the old page from its address: the entry
  // of that page keeps what it was when the visitor did something last.
  let seen = location.href;
  const look = () => (seen = location.href);
  addEventListener("pointerdown", look, true);
  addEventListener("keydown", look, true);
  addEventListener("popstate", look, true);
  history.pushState = (state, title, url) => {
    if (new URL(url, location.href).pathname === location.pathname) {
      replace(state, title, url);
      return;
    }
    if (new URL(seen).pathname === location.pathname) replace(state, title, seen);
    push(state, title, url);
    look();
  };
}
