"use strict";

window.ui = SwaggerUIBundle({
  url: "{% url 'openapi' %}",
  dom_id: "#reference",
  presets: [SwaggerUIBundle.presets.apis],
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
