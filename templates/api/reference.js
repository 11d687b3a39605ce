"use strict";

const root = document.documentElement;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function followTheme() {
  const theme = root.dataset.theme || (prefersDark.matches ? "dark" : "light");
  root.classList.toggle("dark-mode", theme === "dark");
}

followTheme();
document.addEventListener("themechange", followTheme);
prefersDark.addEventListener("change", followTheme);

// Swagger UI centers paragraphs that the console's own styles keep narrow.
const fit = new CSSStyleSheet();
fit.replaceSync(`
  #reference p { max-width: none }
  #reference .scheme-container { background: none; box-shadow: none; padding: 0 }
  .dark-mode #reference .swagger-ui { background: none }
`);
document.adoptedStyleSheets = [...document.adoptedStyleSheets, fit];

window.ui = SwaggerUIBundle({
  url: "{% url 'openapi' %}",
  dom_id: "#reference",
  presets: [SwaggerUIBundle.presets.apis],
  // The page has a heading of its own.
  plugins: [() => ({ wrapComponents: { InfoContainer: () => () => null } })],
  layout: "BaseLayout",
  deepLinking: true,
  docExpansion: "none",
  persistAuthorization: false,
  validatorUrl: null,
  requestInterceptor: (request) => {
    if (!["GET", undefined].includes(request.method)) request.headers["X-CSRFToken"] = "{{ csrf_token }}";
    return request;
  },
});
