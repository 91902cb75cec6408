package server

import (
	"net/http"
	"time"

	"bitgate/proxy/h1"
	"bitgate/proxy/h2"
)

// Ask tells a client that waits for it to send its body.
func (x *h2stream) Ask() error {
	if !x.stream.Expect || x.asked {
		return nil
	}
	return x.Interim(http.StatusContinue, nil, nil)
}

func (x *h2stream) Interim(status int, _ []byte, fields []h1.Field) error {
	x.asked = x.asked || status == http.StatusContinue
	x.stream.Interim(status, fields)
	return x.Flush()
}

func (x *h2stream) Begin(a h1.Head) error {
	x.empty = a.Empty || string(x.stream.Method) == http.MethodHead
	x.stream.Respond(a.Status, a.Fields, a.Length)
	return x.err()
}

func (x *h2stream) Write(data []byte) error {
	if x.empty || x.gone {
		return x.err()
	}
	x.stream.Write(data)
	for !x.gone && x.stream.Full() {
		x.session.touch()
		x.Wake.Wait(time.Time{}) // the core ends a stream whose client takes nothing
	}
	return x.err()
}

func (x *h2stream) Flush() error {
	x.session.touch()
	return x.err()
}

func (x *h2stream) Finish() error {
	x.stream.End()
	return x.Flush()
}

func (x *h2stream) Abort() {
	x.stream.Reset(h2.InternalError)
	x.session.touch()
}
