package exchange

import (
	"bitgate/proxy/record"
)

// done logs and counts the exchange.
func (e *exchange) done() {
	e.marks.End = e.Now()
	switch {
	case e.end == record.Client && e.p.Base.Err() != nil:
		e.end = record.Killed
	case e.end == 0 && e.complete:
		e.end = record.Normal
	case e.end == 0:
		e.end = record.Server // its answer broke off
	}
	connections := e.p.Clients.Connections()
	e.rec = record.Record{
		Client: e.r.ClientPort(), Frontend: "bitgate~", Backend: "bitbucket", Marks: e.marks,
		Status: e.status, BytesSent: e.bytes.Load(), BytesRead: e.uploaded.Load(), End: e.end, Cookie: e.sticky.State, Insert: e.sticky.Insert,
		ActiveConns: connections, FrontendConns: connections, BackendConns: e.atAll, ServerConns: e.atServer,
		Method: e.r.Verb(), Target: e.r.Path + e.r.Query(), Protocol: e.r.Proto, Agent: e.r.Agent,
	}
	if p := e.place; p != nil {
		e.rec.Server, e.rec.Retries, e.rec.Redispatched = p.Server(), p.Retries, p.Redispatched
		e.rec.ServerQueue, e.rec.BackendQueue = p.ServerQueue, p.PoolQueue
	}
	e.p.Counters.Observe(&e.rec)
	e.p.Log.Access(&e.rec)
}
