// The chosen theme, before the first paint; the page itself takes over later.
try {
  document.documentElement.dataset.theme = JSON.parse(localStorage["minnow.settings"]).theme.toLowerCase();
} catch {
  // Nothing is set: as the system says.
}
