// Applies the stored theme before the first paint; the only script that is not deferred.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch { /* storage is forbidden: follow the system */ }
