'use strict';

/*
 * CouchDB's HTTP API on loopback, for tests: express-pouchdb over PouchDB, in memory. Not CouchDB itself: that is in no registry that tests
 * can install from. Documents, revisions, conflicts, `_all_dbs`, `_all_docs`, `_changes`, views and replication
 * are as in CouchDB 1. It has no feed of all databases (`_db_updates`) and no `_dbs_info`, and it orders keys of objects that are
 * numbers.
 *
 *     node server.js [PORT]
 *
 * prints the port. COUCH_USER=name:password asks for that user. It ends when its standard input does.
 */

// databases are no files here, and have slashes in their names as Kazoo's do
const sanitize = require.resolve('sanitize-filename');
require.cache[sanitize] = {id: sanitize, filename: sanitize, loaded: true, exports: (name) => name};

const express = require('express');
const PouchDB = require('pouchdb-core')
  .plugin(require('pouchdb-adapter-memory'))
  .plugin(require('pouchdb-mapreduce'))
  .plugin(require('pouchdb-replication'));

const user = process.env.COUCH_USER;
const wanted = user && 'Basic ' + Buffer.from(user).toString('base64');
const app = express();

app.use(function (request, response, next) {
  if (wanted && request.get('authorization') !== wanted) {
    response.status(401).json({error: 'unauthorized', reason: 'You are not authorized to access this db.'});
  } else {
    next();
  }
});
app.use(require('express-pouchdb')(PouchDB.defaults({adapter: 'memory'}), {
  mode: 'minimumForPouchDB',
  overrideMode: {include: ['routes/replicate', 'routes/find']},
  inMemoryConfig: true
}));

const server = app.listen(Number(process.argv[2] || 0), '127.0.0.1', function () {
  console.log(server.address().port);
});
process.stdin.resume();
process.stdin.on('end', function () { process.exit(0); });
