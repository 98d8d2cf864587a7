import type { FastifyInstance } from 'fastify';

interface Route {
  readonly methods: readonly string[];
  readonly pattern: RegExp;
}

const ROUTES = new WeakMap<object, Route[]>();

/** Notes every route that is registered from now on, so that a known path can answer 405 with Allow to another method. */
export function watchRoutes(server: FastifyInstance): void {
  const routes: Route[] = [];
  ROUTES.set(server.server, routes);
  server.addHook('onRoute', ({ method, url }) => {
    const literal = url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const pattern = new RegExp(`^${literal.replace(/:[A-Za-z]+/g, '[^/]+')}$`);
    routes.push({ methods: [method].flat(), pattern });
  });
}

/** Methods that the path answers, sorted; empty for an unknown path. */
export function allowedMethods(server: FastifyInstance, url: string): readonly string[] {
  const path = url.split('?')[0];
  const methods = (ROUTES.get(server.server) ?? []).filter(({ pattern }) => pattern.test(path)).flatMap(({ methods: own }) => own);
  return [...new Set(methods)].sort();
}
