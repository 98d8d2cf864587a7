import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { allowedMethods, watchRoutes } from './routes.js';

function serverOf(routes: readonly (readonly ['GET' | 'PUT' | 'DELETE', string])[]) {
  const server = Fastify();
  watchRoutes(server);
  for (const [method, url] of routes) server.route({ method, url, handler: () => '' });
  return server;
}

describe('allowedMethods', () => {
  const server = serverOf([
    ['GET', '/instances'],
    ['GET', '/instances/:id'],
    ['PUT', '/instances/:id'],
    ['DELETE', '/instances/:id'],
    ['GET', '/instances/:id/stats'],
    ['GET', '/openapi.yaml'],
  ]);

  it.each([
    ['/instances', ['GET', 'HEAD']],
    ['/instances?state=running', ['GET', 'HEAD']],
    ['/instances/vm-1', ['DELETE', 'GET', 'HEAD', 'PUT']],
    ['/instances/vm-1/stats', ['GET', 'HEAD']],
    ['/openapi.yaml', ['GET', 'HEAD']],
  ])('of %s, sorted and once each', (url, methods) => {
    expect(allowedMethods(server, url)).toEqual(methods);
  });

  it.each(['/', '/instance', '/instances/', '/instances/a/b', '/instances/a/stats/', '/openapiXyaml', '/INSTANCES', ''])(
    'are none for %s',
    (url) => {
      expect(allowedMethods(server, url)).toEqual([]);
    },
  );

  it('of a server nobody watches are none', () => {
    expect(allowedMethods(Fastify(), '/')).toEqual([]);
  });

  it('are kept apart by server', () => {
    const other = serverOf([['PUT', '/instances']]);
    expect(allowedMethods(other, '/instances')).toEqual(['PUT']);
    expect(allowedMethods(server, '/instances')).toEqual(['GET', 'HEAD']);
  });
});
