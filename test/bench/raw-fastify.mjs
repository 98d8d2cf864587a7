// Fastify alone with a ready string: what the stats route is compared with. usage: raw-fastify.mjs <length of the body>
import Fastify from 'fastify';

const length = Number(process.argv[2]);
const body = JSON.stringify({ padding: 'x'.repeat(length - '{"padding":""}'.length) });
const app = Fastify();
app.get('/instances/:id/stats', (_request, reply) => {
  reply.header('content-type', 'application/json; charset=utf-8').send(body);
});
process.stdout.write(`${await app.listen({ port: 0, host: '127.0.0.1' })}\n`);
