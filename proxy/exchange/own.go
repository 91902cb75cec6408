package exchange

import (
	"bitgate/proxy/h1"
	"bitgate/proxy/rules"
)

// say answers in the proxy's own name.
func (e *exchange) say(a *rules.Answer) {
	if e.end == 0 {
		e.end = a.Cause
	}
	e.begun, e.status = true, a.Status
	fields, body := a.Write(&e.p.Config, e.r, e.Now())
	err := e.begin(h1.Head{Status: a.Status, Reason: []byte(a.Reason()), Fields: fields, Length: int64(len(body))})
	if err == nil && !e.r.IsHEAD() {
		e.bytes.Store(int64(len(body)))
		err = e.c.Write([]byte(body))
	}
	if err == nil {
		err = e.c.Finish()
	}
	if err != nil {
		e.clientLeft()
		return
	}
	e.complete = true
}

// begin starts the final answer.
func (e *exchange) begin(h h1.Head) error {
	h.Fields = rules.WithHSTS(&e.p.Config, h.Fields)
	return e.c.Begin(h)
}
