package pool_test

import (
	"slices"
	"testing"
	"time"

	"bitgate/proxy/pool"
)

func TestIdleConnections(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	i := pool.Idle[string]{Keep: 10 * time.Second, Most: 2}
	if _, ok := i.Take("a", at(0)); ok {
		t.Error("took from nothing")
	}
	i.Put("a", "a1", at(0))
	i.Put("b", "b1", at(1))
	i.Put("a", "a2", at(2))
	i.Put("a", "a3", at(3))
	if old := i.Expire(at(3)); !slices.Equal(old, []string{"a1"}) {
		t.Errorf("too many: %v", old)
	}
	if c, ok := i.Take("a", at(4)); !ok || c != "a3" {
		t.Errorf("not the freshest: %q", c)
	}
	if c, ok := i.Take("b", at(11)); ok {
		t.Errorf("too old: %q", c)
	}
	if old := i.Expire(at(11)); !slices.Equal(old, []string{"b1"}) {
		t.Errorf("expired: %v", old)
	}
	i.Put("c", "c1", at(11))
	all := i.All()
	slices.Sort(all)
	if !slices.Equal(all, []string{"a2", "c1"}) || len(i.All()) > 0 {
		t.Errorf("all: %v", all)
	}
}
