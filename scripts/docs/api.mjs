// docs/api.md, from the same document as openapi.yaml.
import { ERRORS } from '../../dist/model/errors.js';
import { cell, code, codes, table } from './markdown.mjs';

const isError = (status) => !status.startsWith('2');

function operations({ paths }) {
  return Object.entries(paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => ({ title: `${verb.toUpperCase()} ${path}`, ...operation })),
  );
}

/** Codes an operation names, as its references to responses lead to them. */
function errorsOf({ responses }, { components }) {
  return Object.entries(responses)
    .filter(([status]) => isError(status) && status !== 'default')
    .flatMap(([, { $ref }]) => Object.keys(components.responses[$ref.split('/').pop()].content['application/problem+json'].examples));
}

function bodyOf({ responses }) {
  const [status, { description, content = {} }] = Object.entries(responses).find(([one]) => !isError(one));
  const types = Object.entries(content).map(([type, { schema }]) => {
    const name = schema.$ref?.split('/').pop();
    return name ? `\`${type}\` (${name})` : `\`${type}\``;
  });
  return `${status}${types.length === 0 ? '' : ` ${types.join(' or ')}`}: ${description}`;
}

function section(operation, document) {
  const { title, summary, description, parameters = [], requestBody } = operation;
  const queries = parameters.filter((parameter) => parameter.in === 'query');
  const body = requestBody?.content['application/json'].schema.$ref.split('/').pop();
  return [
    `### ${code(title)}`,
    '',
    [`${summary}.`, description ?? ''].join(' ').trim(),
    '',
    ...(queries.length === 0
      ? []
      : [
          table(
            ['Query', 'What it does'],
            queries.map(({ name, description }) => [code(name), cell(description)]),
          ),
          '',
        ]),
    ...(body ? [`Body: \`application/json\` (${body}).`, ''] : []),
    `Answers ${bodyOf(operation)} Errors: ${codes(errorsOf(operation, document))}.`,
  ].join('\n');
}

export function apiPage(document) {
  const all = operations(document);
  return `# API

<!-- Generated from the controllers: node scripts/docs.mjs -->

\`openapi.yaml\` says the same for programs, with every schema and an example of every answer; the running agent gives it at \`/openapi.yaml\` and
shows it at \`/docs\`. HEAD works wherever GET does. Where \`web.token-file\` names tokens, every route but the probes wants
\`Authorization: Bearer <token>\`.

\`{id}\` is an instance's id, its name, or the beginning of one id only: \`${document.components.schemas.InstanceSummary.properties.id.pattern}\`. Instances are seen
from the host, the network from the guest. A value that is not known is null, never 0.

## Routes

${table(
  ['Route', 'What it answers'],
  all.map(({ title, summary }) => [code(title), cell(summary)]),
)}

${document.tags.map(({ name, description }) => [`## ${name}`, '', description, '', ...all.filter(({ tags }) => tags.includes(name)).map((operation) => `${section(operation, document)}\n`)].join('\n')).join('\n')}
## Errors

Every error is \`application/problem+json\` (RFC 9457): \`type\`, \`title\`, \`status\`, \`detail\`, \`instance\`, and beside them \`code\` and \`message\`.
The codes that no route names can befall any request.

${table(
  ['Code', 'Status', 'Title', 'Detail, for example'],
  Object.entries(ERRORS).map(([word, { status, title }]) => [
    code(word),
    String(status),
    title,
    cell(document.components.examples[word].value.detail),
  ]),
)}
`;
}
