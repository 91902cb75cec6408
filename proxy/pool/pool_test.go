package pool

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return start.Add(d) }

func options() Options {
	return Options{
		MaxConn: 2, MaxQueue: 4, QueueTimeout: time.Minute, Retries: 3, Connect: 5 * time.Second,
		Checks: Checks{Inter: 2 * time.Second, Rise: 2, Fall: 3},
	}
}

// enter makes a request and checks where it ends up.
func enter(t *testing.T, p *Pool, sticky string, now time.Time, want State) *Request {
	t.Helper()
	r := &Request{Sticky: sticky}
	if got := p.Enter(r, now); got != want || r.State() != want {
		t.Fatalf("state %d (%d), want %d", got, r.State(), want)
	}
	return r
}

func TestFirstComeFirstServed(t *testing.T) {
	p := New([]string{"a"}, options())
	first := enter(t, p, "", start, At)
	second := enter(t, p, "", start, At)
	var waiting []*Request
	if all, own := p.Counts(second); all != 2 || own != 2 {
		t.Errorf("%d at all servers, %d at its own", all, own)
	}
	for i := range 4 {
		r := enter(t, p, "", after(time.Duration(i)), Waiting)
		if r.PoolQueue != i || r.ServerQueue != 0 {
			t.Errorf("request %d stands behind %d", i, r.PoolQueue)
		}
		waiting = append(waiting, r)
	}
	enter(t, p, "", start, Full)
	woken := 0
	waiting[1].Wake = func() { woken++ }
	p.Leave(waiting[0], start) // its client left
	p.Leave(first, start)
	if waiting[1].State() != At || woken != 1 || waiting[2].State() != Waiting {
		t.Errorf("after one left: %d, woken %d, behind it %d", waiting[1].State(), woken, waiting[2].State())
	}
	p.Leave(first, start) // a second time changes nothing
	if waiting[2].State() != Waiting {
		t.Error("one place was given twice")
	}
	p.Leave(second, start)
	if waiting[2].State() != At || waiting[3].State() != Waiting {
		t.Error("not in the order of arrival")
	}
}

func TestQueueTimeout(t *testing.T) {
	p := New([]string{"a"}, options())
	enter(t, p, "", start, At)
	last := enter(t, p, "", start, At)
	early := enter(t, p, "", after(time.Second), Waiting)
	late := enter(t, p, "", after(2*time.Second), Waiting)
	due, ok := p.Next(after(3 * time.Second))
	if !ok || !due.Equal(after(61*time.Second)) {
		t.Fatalf("next is due %v %v", due, ok)
	}
	p.Tick(due.Add(-1))
	if early.State() != Waiting {
		t.Error("ended before its time")
	}
	p.Tick(due)
	if early.State() != TimedOut || late.State() != Waiting {
		t.Errorf("at the deadline: %d and %d", early.State(), late.State())
	}
	p.Leave(early, due) // as the caller may do in a defer
	p.Leave(last, due)
	if late.State() != At {
		t.Error("the place went to the one that timed out")
	}
	if _, ok := p.Next(due); ok {
		t.Error("something is due though nobody waits")
	}
}

func TestBalance(t *testing.T) {
	tests := []struct {
		balance Balance
		want    string
	}{
		// b ends its request after the third: leastconn sees it, roundrobin does not.
		{LeastConn, "abcbac"},
		{RoundRobin, "abcabc"},
	}
	for _, tt := range tests {
		o := options()
		o.Balance, o.MaxConn = tt.balance, 10
		p := New([]string{"a", "b", "c"}, o)
		var got string
		var b *Request
		for i := range 6 {
			r := enter(t, p, "", start, At)
			got += r.Server()
			if r.Server() == "b" && b == nil {
				b = r
			}
			if i == 2 {
				p.Leave(b, start)
			}
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.balance, got, tt.want)
		}
	}
}

func TestStickiness(t *testing.T) {
	p := New([]string{"a", "b"}, options())
	var at []*Request
	for range 2 {
		r := enter(t, p, "b", start, At)
		if r.Server() != "b" || !r.Persistent {
			t.Errorf("sent to %q", r.Server())
		}
		at = append(at, r)
	}
	pinned := enter(t, p, "b", start, Waiting) // although a is free
	if pinned.ServerQueue != 0 || pinned.PoolQueue != 0 {
		t.Errorf("positions %d/%d", pinned.ServerQueue, pinned.PoolQueue)
	}
	other := enter(t, p, "", start, At)
	if other.Server() != "a" || other.Persistent {
		t.Errorf("without a cookie sent to %q", other.Server())
	}
	if unknown := enter(t, p, "gone", start, At); unknown.Server() != "a" || unknown.Persistent {
		t.Errorf("with an unknown cookie sent to %q", unknown.Server())
	}
	// Of two that may have b's place, the one that came first gets it.
	any := enter(t, p, "", start, Waiting)
	p.Leave(at[0], start)
	if pinned.State() != At || any.State() != Waiting {
		t.Errorf("the place at b: pinned %d, other %d", pinned.State(), any.State())
	}
}

func TestServerGoesDown(t *testing.T) {
	p := New([]string{"a", "b"}, options())
	enter(t, p, "b", start, At)
	enter(t, p, "b", start, At)
	pinned := enter(t, p, "b", start, Waiting)
	if !p.Checked("b", false, start) {
		t.Fatal("the first bad check must decide")
	}
	if pinned.State() != At || pinned.Server() != "a" {
		t.Errorf("who waited for b is %d at %q", pinned.State(), pinned.Server())
	}
	if r := enter(t, p, "b", start, At); r.Server() != "a" || r.Persistent {
		t.Errorf("bound to a lost server, sent to %q", r.Server())
	}
	waiting := enter(t, p, "", start, Waiting)
	p.Checked("a", false, start)
	enter(t, p, "", start, Down)
	if waiting.State() != Waiting {
		t.Error("who waits already goes on waiting")
	}
	p.Checked("a", true, start)
	p.Checked("a", true, start)
	p.Checked("b", true, start)
	if p.Checked("b", true, start); waiting.State() != Waiting {
		t.Errorf("a and b are full, yet %d", waiting.State())
	}
}

func TestRetries(t *testing.T) {
	type step struct {
		state  State
		pause  time.Duration
		server string
	}
	again := func(server string) step { return step{At, time.Second, server} }
	tests := []struct {
		name    string
		servers []string
		sticky  string
		balance Balance
		connect time.Duration
		want    []step
	}{
		{
			"one server",
			[]string{"a"},
			"", LeastConn, 5 * time.Second,
			[]step{again("a"), again("a"), again("a"), {Down, 0, "a"}},
		},
		{
			"short connect timeout",
			[]string{"a"},
			"", LeastConn, 200 * time.Millisecond,
			[]step{{At, 200 * time.Millisecond, "a"}},
		},
		{
			"last retry elsewhere",
			[]string{"a", "b"},
			"", LeastConn, 5 * time.Second,
			[]step{again("a"), again("a"), {At, 0, "b"}, {Down, 0, "b"}},
		},
		{
			"in turn at once elsewhere",
			[]string{"a", "b"},
			"", RoundRobin, 5 * time.Second,
			[]step{{At, 0, "b"}, {At, 0, "a"}, {At, 0, "b"}, {Down, 0, "b"}},
		},
		{
			"bound to the server",
			[]string{"a", "b"},
			"a", RoundRobin, 5 * time.Second,
			[]step{again("a"), again("a"), {At, 0, "b"}},
		},
	}
	for _, tt := range tests {
		o := options()
		o.Balance, o.Connect = tt.balance, tt.connect
		p := New(tt.servers, o)
		r := enter(t, p, tt.sticky, start, At)
		for i, want := range tt.want {
			state, pause := p.Failed(r, start)
			if got := (step{state, pause, r.Server()}); got != want {
				t.Errorf("%s, failure %d: %+v, want %+v", tt.name, i+1, got, want)
			}
		}
		p.Leave(r, start)
		servers, _ := p.Status()
		for _, s := range servers {
			if s.Active != 0 {
				t.Errorf("%s: %d places of %s are lost", tt.name, s.Active, s.Name)
			}
		}
	}
}

func TestRedispatchWaitsWhereTheOtherIsFull(t *testing.T) {
	p := New([]string{"a", "b"}, options())
	r := enter(t, p, "a", start, At)
	enter(t, p, "a", start, At)
	b := enter(t, p, "b", start, At)
	enter(t, p, "b", start, At)
	older := enter(t, p, "b", start, Waiting)
	p.Checked("a", false, start)
	state, _ := p.Failed(r, start)
	if state != Waiting || !r.Redispatched {
		t.Fatalf("state %d", state)
	}
	p.Leave(b, start)
	if r.State() != At || r.Server() != "b" || older.State() != Waiting {
		t.Errorf("it came before, yet %d at %q, the other %d", r.State(), r.Server(), older.State())
	}
}

func TestSlowStart(t *testing.T) {
	o := options()
	o.MaxConn, o.MaxQueue, o.SlowStart = 10, 100, 10*time.Second
	p := New([]string{"a"}, o)
	for range 10 { // not at the start of the process
		p.Leave(enter(t, p, "", start, At), start)
	}
	p.Checked("a", false, start)
	p.Checked("a", true, start)
	p.Checked("a", true, start)
	for range 20 {
		p.Enter(&Request{}, start)
	}
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {time.Second, 1}, {5 * time.Second, 5}, {9900 * time.Millisecond, 9}, {10 * time.Second, 10}, {time.Minute - 1, 10}} {
		p.Tick(after(tt.after))
		if s, _ := p.Status(); s[0].Active != tt.want {
			t.Errorf("after %s: %d at the server, want %d", tt.after, s[0].Active, tt.want)
		}
		if _, ok := p.Next(after(tt.after)); !ok {
			t.Error("nothing is due though requests wait")
		}
	}
}

// TestNeverTooMany plays a random crowd and holds the pool to what it promises.
func TestNeverTooMany(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	o := options()
	o.MaxConn, o.MaxQueue, o.SlowStart = 3, 20, time.Second
	p := New([]string{"a", "b", "c"}, o)
	var open []*Request
	now := start
	for range 50000 {
		now = now.Add(time.Duration(random.IntN(1000)) * time.Millisecond)
		switch n := random.IntN(10); {
		case n < 4:
			r := &Request{Sticky: []string{"", "a", "b", "c", "x"}[random.IntN(5)]}
			if s := p.Enter(r, now); s == At || s == Waiting {
				open = append(open, r)
			}
		case n < 7 && len(open) > 0:
			i := random.IntN(len(open))
			p.Leave(open[i], now)
			open = append(open[:i], open[i+1:]...)
		case n == 7 && len(open) > 0:
			p.Failed(open[random.IntN(len(open))], now)
		case n == 8:
			p.Checked(string("abc"[random.IntN(3)]), random.IntN(2) == 0, now)
		default:
			p.Tick(now)
		}
		if err := consistent(p, open, now); err != nil {
			t.Fatal(err)
		}
	}
}

func consistent(p *Pool, open []*Request, now time.Time) error {
	at, waiting := map[string]int{}, 0
	for _, r := range open {
		switch r.State() {
		case At:
			at[r.Server()]++
		case Waiting:
			waiting++
		}
	}
	servers, queued := p.Status()
	for _, s := range servers {
		queued += s.Queued
		if s.Active > 3 || s.Active != at[s.Name] {
			return fmt.Errorf("%s has %d requests, counted %d", s.Name, s.Active, at[s.Name])
		}
		if s.Queued > 0 && !s.Up {
			return fmt.Errorf("%s is down and has a queue", s.Name)
		}
	}
	if queued != waiting || queued > 20 {
		return fmt.Errorf("%d wait, the pool says %d", waiting, queued)
	}
	p.dispatch(now)
	if p.queue.n > 0 && p.choose(nil, now) != nil {
		return fmt.Errorf("somebody waits though a place is free")
	}
	return nil
}

// Who sends many requests waits for their own turns; others do not stand behind them.
func TestClientsTakeTurns(t *testing.T) {
	o := options()
	o.MaxConn, o.MaxQueue = 1, 6
	p := New([]string{"a"}, o)
	from := func(client string, want State) *Request {
		t.Helper()
		r := &Request{Client: netip.MustParsePrefix(client)}
		if p.Enter(r, start); r.State() != want {
			t.Fatalf("a request of %s: %d, want %d", client, r.State(), want)
		}
		return r
	}
	const crowd, ada, bob = "192.0.2.1/32", "192.0.2.2/32", "2001:db8::/64"
	at := from(crowd, At)
	var names []string
	of := map[*Request]string{}
	for i := range 6 {
		of[from(crowd, Waiting)] = fmt.Sprint("crowd", i)
	}
	from(crowd, Full)
	a := from(ada, Waiting) // in the place of the crowd's last
	b := from(bob, Waiting)
	of[a], of[b], of[from(ada, Waiting)] = "ada0", "bob0", "ada1"
	from(ada, Full) // no client has many more than she has
	from(crowd, Full)
	if a.PoolQueue != 1 || b.PoolQueue != 2 {
		t.Errorf("%d stand before Ada's first, %d before Bob's", a.PoolQueue, b.PoolQueue)
	}
	for range 6 {
		p.Leave(at, start)
		at = nil
		for r := range of {
			if r.State() == At {
				names, at = append(names, of[r]), r
			}
		}
		if at == nil {
			t.Fatalf("nobody is next after %v", names)
		}
	}
	if got, want := fmt.Sprint(names), "[crowd0 ada0 bob0 crowd1 ada1 crowd2]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	refused := 0
	for r := range of {
		if r.State() == Full {
			refused++
		}
	}
	if refused != 3 {
		t.Errorf("%d requests of the crowd gave way, want 3", refused)
	}
	if p.Leave(at, start); len(p.turns.clients) != 0 {
		t.Errorf("remembered without need: %v", p.turns.clients)
	}
	from(ada, At) // and nothing is owed
}
