import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { VmStats } from 'vmgauge';
import { ControlPlane, machine } from './fleet.js';

const app = await NestFactory.createApplicationContext(ControlPlane, { logger: ['error', 'warn'] });
const stats = app.get(VmStats);
const all = await stats.collectAll();
const one = await stats.getInstanceStats(machine);
const gone = await stats.getInstanceStats({ id: 'gone', process: { pid: machine.process?.pid ?? 1, startTicks: 1 } });
await app.close();
process.stdout.write(JSON.stringify({ all, one, gone }));
