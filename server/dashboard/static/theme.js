// Says which look the person's system asks for, before the first paint.
const dark = matchMedia("(prefers-color-scheme: dark)");
const look = () => {
  document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light";
};
look();
dark.addEventListener("change", look);
