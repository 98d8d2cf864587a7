// The agent's real application, put together and never started: what its controllers, tables and lists declare can be read off it.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, MetadataScanner, NestFactory } from '@nestjs/core';
import { AppModule } from '../../dist/app.module.js';
import { DOC } from '../../dist/http/doc.js';
import { makeAdapter } from '../../dist/http/server.js';

/** @param options as for VmgaugeModule.register */
export function makeApp(options = {}) {
  class Root {}
  Module({ imports: [AppModule.register(options), DiscoveryModule] })(Root);
  return NestFactory.create(Root, makeAdapter(), { logger: false, abortOnError: false });
}

/** Every handler that has a route, with what `@Doc` says of it. @throws Error for one without: a route nobody described */
export function handlers(app) {
  const scanner = new MetadataScanner();
  return app
    .get(DiscoveryService)
    .getControllers()
    .flatMap(({ metatype }) =>
      scanner
        .getAllMethodNames(metatype.prototype)
        .filter((method) => Reflect.hasMetadata('method', metatype.prototype[method]))
        .map((method) => {
          const doc = Reflect.getMetadata(DOC, metatype.prototype[method]);
          if (!doc) throw new Error(`${metatype.name}.${method} has a route and no @Doc`);
          return { controller: metatype, method, doc };
        }),
    );
}
