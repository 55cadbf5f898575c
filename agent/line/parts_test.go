package line

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestCable pulls the cable under a connection and plugs it in again.
func TestCable(t *testing.T) {
	t.Parallel()
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			all.Go(func() { _, _ = io.Copy(c, c); c.Close() })
		}
	})
	defer all.Wait()
	defer echo.Close()
	c, err := newCable(echo.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	say := func() (net.Conn, error) {
		conn, err := net.Dial("tcp", c.address())
		if err != nil {
			return nil, err
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := conn.Write([]byte("ping")); err != nil {
			return conn, err
		}
		got := make([]byte, 4)
		_, err = io.ReadFull(conn, got)
		if err == nil && !bytes.Equal(got, []byte("ping")) {
			err = errors.New("another echo")
		}
		return conn, err
	}
	before, err := say()
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	c.pull()
	if _, err := before.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlived the cable")
	}
	if conn, err := say(); err == nil {
		t.Error("a pulled cable carries")
	} else if conn != nil {
		conn.Close()
	}
	c.plug()
	after, err := say()
	if err != nil {
		t.Errorf("plugged in again: %v", err)
	}
	if after != nil {
		after.Close()
	}
}

// script is a process that runs a shell script.
func script(t *testing.T, text string) (p *process, lights func() string, lost func() []string) {
	t.Helper()
	var mu sync.Mutex
	var seen strings.Builder
	var deaths []string
	p = &process{
		argv: []string{"/bin/sh", "-c", text}, dir: t.TempDir(), journal: filepath.Join(t.TempDir(), "journal"),
		light: func(r io.Reader) {
			buf := make([]byte, 64)
			for {
				n, err := r.Read(buf)
				mu.Lock()
				seen.Write(buf[:n])
				mu.Unlock()
				if err != nil {
					return
				}
			}
		},
		lost: func(reason string) {
			mu.Lock()
			defer mu.Unlock()
			deaths = append(deaths, reason)
		},
	}
	lights = func() string { mu.Lock(); defer mu.Unlock(); return seen.String() }
	lost = func() []string { mu.Lock(); defer mu.Unlock(); return append([]string(nil), deaths...) }
	return p, lights, lost
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%s does not happen", what)
		}
	}
}

const obedient = `trap 'exit 0' TERM; echo said >&2; echo up >&3; while :; do sleep 0.05 3>&- ; done`

// TestProcess kills a process, which comes back, and ends it in order.
func TestProcess(t *testing.T) {
	t.Parallel()
	p, lights, lost := script(t, obedient)
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	if err := p.start(); err == nil {
		t.Error("it was started twice")
	}
	eventually(t, "the first light", func() bool { return lights() == "up\n" })
	if err := p.kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second light", func() bool { return lights() == "up\nup\n" })
	if err := p.end(); err != nil {
		t.Error(err)
	}
	if err := p.end(); err != nil {
		t.Errorf("ended twice: %v", err)
	}
	if err := p.kill(); err == nil {
		t.Error("what has ended was killed")
	}
	if l := lost(); len(l) > 0 {
		t.Errorf("a kill is no death by itself: %v", l)
	}
	if text, err := os.ReadFile(p.journal); err != nil || !strings.HasPrefix(string(text), "said\nsaid\n") {
		t.Errorf("journal %q %v", text, err)
	}
}

func TestProcessTroubles(t *testing.T) {
	t.Parallel()
	t.Run("not there", func(t *testing.T) {
		t.Parallel()
		p, _, _ := script(t, "")
		p.argv = []string{filepath.Join(t.TempDir(), "travelerd")}
		if err := p.start(); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v", err)
		}
	})
	t.Run("dies by itself", func(t *testing.T) {
		t.Parallel()
		p, _, lost := script(t, "exit 3")
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "giving up", func() bool { return len(lost()) == mostDeaths })
		if err := p.end(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
			t.Logf("end: %v", err) // it had ended before
		}
	})
	t.Run("does not end", func(t *testing.T) {
		t.Parallel()
		p, lights, _ := script(t, `trap '' TERM; echo up >&3; while :; do sleep 0.05 3>&-; done`)
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the light", func() bool { return lights() != "" })
		if err := p.end(); err == nil || !strings.Contains(err.Error(), "within") {
			t.Errorf("%v", err)
		}
	})
}

func TestRack(t *testing.T) {
	t.Parallel()
	r := newRack()
	all := func(*item) bool { return true }
	pin, cover := &item{piece: piece{product: "pin"}}, &item{piece: piece{product: "cover"}}
	now := time.Now()
	r.put(pin, now.Add(time.Hour))
	r.put(cover, now)
	if !r.holds("pin", "cover") || r.holds("housing") || r.len() != 2 {
		t.Error("the rack does not know what it holds")
	}
	if i, wait, _ := r.look(now, func(i *item) bool { return i.product == "pin" }); i != nil || wait != time.Hour {
		t.Errorf("a piece that has to wait: %v, %v", i, wait)
	}
	if i := r.take(t.Context(), all); i != cover {
		t.Errorf("took %v", i)
	}
	if i, _, _ := r.look(now.Add(time.Hour), all); i != pin {
		t.Errorf("after its time: %v", i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	taken := make(chan *item)
	go func() { taken <- r.take(ctx, all) }()
	r.put(pin, now)
	if i := <-taken; i != pin {
		t.Errorf("a piece that comes later: %v", i)
	}
	go func() { taken <- r.take(ctx, all) }()
	cancel()
	if i := <-taken; i != nil {
		t.Errorf("after the end: %v", i)
	}
}

func TestBusy(t *testing.T) {
	t.Parallel()
	b := &busy{held: map[string]bool{}}
	if !b.take("a") || b.take("a") {
		t.Error("one station, two faults")
	}
	if got := b.takeOne([]string{"a", "b", "c"}, func(g string) bool { return g != "b" }); got != "c" {
		t.Errorf("took %q", got)
	}
	b.free("a")
	if !b.take("a") || b.takeOne([]string{"a", "c"}, func(string) bool { return true }) != "" {
		t.Error("free and held are mixed up")
	}
}

func TestWatcher(t *testing.T) {
	t.Parallel()
	w := newWatcher()
	red := func(l Light) bool { return l.Aspect == "RED" }
	w.put(Light{Aspect: "GREEN"})
	if _, err := w.wait(t.Context(), time.Millisecond, red); !errors.Is(err, ErrNoLight) {
		t.Errorf("%v", err)
	}
	go w.put(Light{Aspect: "RED", Tag: "1"})
	if l, err := w.wait(t.Context(), time.Minute, red); err != nil || l.Tag != "1" {
		t.Errorf("%v %v", l, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.wait(ctx, time.Minute, red); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
