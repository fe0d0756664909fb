package sandbox

import (
	"strconv"
	"testing"
	"time"
)

func TestNonceMemoryIsBounded(t *testing.T) {
	n := newNonces(3)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range 4 {
		if !n.use("key", strconv.Itoa(i), now) {
			t.Errorf("nonce %d is not new", i)
		}
	}
	for i, want := range []bool{true, true, false} { // 0 was forgotten for 3, then 1 for 0
		value := []string{"0", "1", "3"}[i]
		if got := n.use("key", value, now); got != want {
			t.Errorf("nonce %s is new: %t, want %t", value, got, want)
		}
	}
}

func TestNonceMemoryIsFreed(t *testing.T) {
	n := newNonces(maxNonces)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range 10_000 {
		now = now.Add(time.Second)
		if !n.use("key", strconv.Itoa(i), now) {
			t.Fatalf("nonce %d is not new", i)
		}
		if old := i - 31*60 + 1; old >= 0 && n.use("key", strconv.Itoa(old), now) {
			t.Fatalf("nonce %d was forgotten before %d", old, i)
		}
	}
	if len(n.known) > 31*60+1 || len(n.queue) > 2*len(n.known)+1 {
		t.Errorf("%d known, %d queued", len(n.known), len(n.queue))
	}
}
