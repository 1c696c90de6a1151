import { join } from 'node:path'
import t from 'tap'
import { folder, root } from '../helpers/documents.js'
import { withoutNginx } from '../helpers/nginx.js'
import { Program } from '../helpers/program.js'
import { withoutRedis } from '../helpers/redis.js'

t.test('the example of a cluster runs by plain node, and loses nothing', { skip: withoutNginx || withoutRedis }, async t => {
  const cluster = new Program(t, process.execPath, [join(root, 'example/cluster/start.js'), '--seconds', '2'], { cwd: folder(t, []) })
  t.equal(await cluster.ended, 0, cluster.lines.join('\n'))
  t.match(cluster.lines.at(-1), /^ {3}end {3}emitted [1-9]\d* .*lost 0 {3}doubled 0/)
})
