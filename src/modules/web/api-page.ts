/** The page around Swagger UI. Its addresses are relative, so that it also works below a path of a reverse proxy. */
export const API_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API of vmgauge</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<noscript><p>This page needs its script. <a href="openapi.yaml">openapi.yaml</a> is the same to read.</p></noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/init.js"></script>
</body>
</html>
`;

/** Requests that are tried go to the agent the page came from, whatever address the description names. */
export const API_PAGE_SCRIPT = `'use strict';
const base = new URL('.', location.href).href.replace(/\\/$/, '');
fetch('openapi.json')
  .then((response) => (response.ok ? response.json() : Promise.reject(new Error('openapi.json: ' + response.status))))
  .then((spec) => {
    SwaggerUIBundle({
      spec: { ...spec, servers: [{ url: base }] },
      dom_id: '#api',
      deepLinking: true,
      validatorUrl: null,
      defaultModelsExpandDepth: 0,
    });
  })
  .catch((error) => {
    document.getElementById('api').textContent = String(error);
  });
`;
