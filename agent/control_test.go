package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"traveler.example/agent/journal"
	"traveler.example/agent/station"
	"traveler.example/drivers"
	"traveler.example/ledger"
)

func TestListenControl(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := ListenControl(path)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o660 || info.Mode().Type() != os.ModeSocket {
		t.Errorf("mode %v", info.Mode())
	}
	if _, err := ListenControl(path); err == nil || !strings.Contains(err.Error(), "another daemon answers") {
		t.Errorf("a living daemon was pushed aside: %v", err)
	}
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("the living daemon's socket is gone: %v", err)
	} else {
		must(t, c.Close())
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	must(t, l.Close()) // it dies
	l, err = ListenControl(path)
	if err != nil {
		t.Fatalf("a dead daemon's socket is in the way: %v", err)
	}
	must(t, l.Close())
}

// TestListenControlTakesNothingElseAway: a path that was mistaken is no reason to
// remove what lies there.
func TestListenControlTakesNothingElseAway(t *testing.T) {
	dir := t.TempDir()
	file, link, pipe := filepath.Join(dir, "gateway.key"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	must(t, os.WriteFile(file, []byte("precious"), 0o600))
	must(t, os.Symlink(file, link))
	must(t, unix.Mkfifo(pipe, 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "empty"), 0o700))
	for _, path := range []string{file, link, pipe, filepath.Join(dir, "empty")} {
		if l, err := ListenControl(path); err == nil {
			t.Errorf("%s was replaced by a socket", path)
			must(t, l.Close())
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s is gone: %v", path, err)
		}
	}
	if _, err := ListenControl(filepath.Join(dir, "nowhere", "control.sock")); err == nil {
		t.Error("a socket in no directory")
	}
	if _, err := ListenControl(filepath.Join(dir, strings.Repeat("x", 200))); err == nil {
		t.Error("a socket with a longer path than sockets have")
	}
}

// TestControlOverARealSocket asks a gateway by the way of the CLI, and ends it.
func TestControlOverARealSocket(t *testing.T) {
	p := newPlant(t)
	path := filepath.Join(t.TempDir(), "control.sock")
	if _, err := Dial(path); !errors.Is(err, ErrUnreachable) {
		t.Errorf("nobody answers, and: %v", err)
	}
	b := p.gateway("intake")
	l, err := ListenControl(path)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- b.ServeControl(ctx, l) }()
	d, err := Dial(path)
	must(t, err)
	s, err := d.Status(context.Background())
	if err != nil || s.Gateway != "intake" || !s.Running || s.Open || s.Mode != "intake" {
		t.Errorf("%+v, %v", s, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := d.Status(context.Background()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("it has ended, and: %v", err)
	}
	must(t, d.Close())
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its socket stays: %v", err)
	}
}

// TestControlEndsWithItsSocket: a control socket that breaks is an error at once,
// not silence.
func TestControlEndsWithItsSocket(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b, l := p.gateway("intake"), newPipes()
		must(t, l.Close())
		if err := b.ServeControl(context.Background(), l); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestRequestsAtTheEnd ends a gateway while one request waits for the start gate
// and another is sent byte by byte.
func TestRequestsAtTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b, l := p.gateway("intake"), newPipes()
		b.build(func(_ *Config, parts *Parts) {
			parts.Services = append(parts.Services, func(ctx context.Context) error { return b.ServeControl(ctx, l) })
		})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		waiting := make(chan error)
		go func() {
			_, err := l.dial(t).Submit(context.Background(), p.signed("paula", ledger.Tx{Body: benchOrder("WO-1")}).Raw())
			waiting <- err
		}()
		near, far := net.Pipe()
		l.conns <- far
		_, err := near.Write([]byte("POST /transactions HTTP/1.1\r\nHost: gateway\r\nContent-Length: 100\r\n\r\nabc"))
		must(t, err)
		synctest.Wait()
		began := time.Now()
		cancel()
		if err := <-ended; err != nil || time.Since(began) > 5*time.Second {
			t.Errorf("ended after %v: %v", time.Since(began), err)
		}
		if err := <-waiting; !errors.Is(err, ErrUnreachable) {
			t.Errorf("the one who waited was told %v", err)
		}
		must(t, near.Close())
	})
}

// TestRequestsAreWaitedFor also when their connections were cut.
func TestRequestsAreWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T, _ *plant) {
		release := make(chan struct{})
		served := 0
		c := &counted{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release; served++ })}
		go c.ServeHTTP(httptest.NewRecorder(), nil)
		synctest.Wait()
		ended := make(chan int)
		go func() { c.end(); ended <- served }()
		synctest.Wait()
		c.ServeHTTP(httptest.NewRecorder(), nil) // too late: returns at once
		close(release)
		if n := <-ended; n != 1 {
			t.Errorf("%d requests served before the end", n)
		}
	})
}

// TestSlowRequestsAreCut: whoever sends a request without an end holds it open for
// a while only.
func TestSlowRequestsAreCut(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b, l := p.gateway("intake"), newPipes()
		b.build(func(_ *Config, parts *Parts) {
			parts.Services = append(parts.Services, func(ctx context.Context) error { return b.ServeControl(ctx, l) })
		})
		b.run()
		near, far := net.Pipe()
		l.conns <- far
		_, err := near.Write([]byte("GET /status HTTP/1.1\r\n"))
		must(t, err)
		began := time.Now()
		_, err = io.Copy(io.Discard, near)
		if took := time.Since(began); took > time.Minute || err != nil {
			t.Errorf("cut after %v: %v", took, err)
		}
		must(t, near.Close())
	})
}

func TestRefusalsOfTheSocket(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		h := b.controlHandler()
		tests := []struct {
			method, target, body string
			status               int
			kind                 string
		}{
			{"GET", "/nothing", "", http.StatusNotFound, ""},
			{"POST", "/status", "", http.StatusMethodNotAllowed, ""},
			{"GET", "/transactions", "", http.StatusMethodNotAllowed, ""},
			{"GET", "/items?limit=many", "", http.StatusNotAcceptable, "refused"},
			{"GET", "/items?limit=99999999999999999999", "", http.StatusNotAcceptable, "refused"},
			{"GET", "/blocks?from=-1", "", http.StatusNotAcceptable, "refused"},
			{"GET", "/blocks?limit=1e3", "", http.StatusNotAcceptable, "refused"},
			{"GET", "/item?id=L-1", "", http.StatusNotFound, "not-found"},
			{"POST", "/transactions", strings.Repeat("x", controlBody+1), http.StatusNotAcceptable, "refused"},
			{"POST", "/roster", strings.Repeat("x", controlBody), http.StatusNotAcceptable, "refused"},
			{"POST", "/station", "{", http.StatusNotAcceptable, "refused"},
			{"POST", "/station", `{"form":{"Measurements":[{"Value":1e99}]}}`, http.StatusNotAcceptable, "refused"},
			{"POST", "/withdraw?id=L-1", "", http.StatusNotFound, "not-found"},
		}
		for _, tt := range tests {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body)))
			var f failure
			_ = json.Unmarshal(w.Body.Bytes(), &f)
			if w.Code != tt.status || f.Kind != tt.kind || (f.Error == "") != (tt.kind == "") {
				t.Errorf("%s %.40s: %d %+v, want %d %s", tt.method, tt.target, w.Code, f, tt.status, tt.kind)
			}
		}
		// What changes something is said, each kind once a minute.
		b.journal.times(2, journal.ControlRefused)
	})
}

// TestAnAnswerThatIsNone tells the words of a server that is another program.
func TestAnAnswerThatIsNone(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"a page":          {http.StatusBadGateway, "<html>no</html>", "502"},
		"half a document": {http.StatusOK, `{"gateway": "x`, "answer of"},
		"another kind":    {http.StatusTeapot, `{"error":"odd","kind":"brand-new"}`, "odd"},
	} {
		bubble(t, func(t *testing.T, _ *plant) {
			l := newPipes()
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})}
			ended := make(chan error)
			go func() { ended <- server.Serve(l) }()
			if _, err := l.dial(t).Status(context.Background()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
			must(t, server.Close())
			<-ended
		})
	}
}

// TestOperate answers CHOOSE over the control socket.
func TestOperate(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b, d := controlled(t, p, "pack")
		in := newBook(t, p)
		one := ledger.Order{ID: "WO-1", Product: "BOX", Routing: []ledger.Operation{{ID: "10", Task: "pack", Place: "PACK-1"}}}
		order := in.order(one)
		for _, label := range []string{"L-1", "L-2"} {
			in.intake(order, label, tagA)
		}
		_, err := b.replica.Ingest(context.Background(), chain(t, in.r, "intake")...)
		must(t, err)
		if got := b.put(tagA); !strings.HasPrefix(got, "CHOOSE") {
			t.Fatalf("shows %q", got)
		}
		must(t, d.Operate(context.Background(), OperatorWord{Item: "L-2"}))
		synctest.Wait()
		if last := b.light.last(); last.Aspect != drivers.AspectGreen || !strings.HasPrefix(last.Text, "ACCEPTED L-2") {
			t.Errorf("shows %+v", last)
		}
		must(t, d.Operate(context.Background(), OperatorWord{Form: &ledger.Form{Failed: true, Failure: "bent"}}))
		synctest.Wait()
		if h, err := d.Rule(context.Background(), "L-2"); err != nil || h.State != "nonconforming" {
			t.Errorf("%+v, %v, shows %q", h, err, b.light.last().Text)
		}
		must(t, d.Operate(context.Background(), OperatorWord{Cancel: true}))
		synctest.Wait()
		b.journal.times(1, journal.ScanCancelled)
	})
}

// FuzzControlBodies sends bodies to what takes them: none brings the gateway
// down, and none that is not signed by its author is taken.
func FuzzControlBodies(f *testing.F) {
	p := newPlant(f)
	b := p.gateway("intake")
	b.machineOpen()
	order := p.signed("paula", ledger.Tx{Time: 1, Body: benchOrder("WO-1")})
	statement := p.state(enrolled("late", ledger.RoleGateway))
	for _, raw := range [][]byte{nil, order.Raw(), statement.Raw(), order.Raw()[:len(order.Raw())-1], []byte(`{"item":"x","form":{"Measurements":[{}]}}`), []byte(`{"cancel":true}`)} {
		f.Add(uint8(0), raw)
		f.Add(uint8(1), raw)
		f.Add(uint8(2), raw)
	}
	paths := []string{"/transactions", "/roster", "/station"}
	h := b.controlHandler()
	f.Fuzz(func(t *testing.T, path uint8, raw []byte) {
		for len(b.station.inbox) > 0 {
			<-b.station.inbox
		}
		target := paths[int(path)%len(paths)]
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, bytes.NewReader(raw)))
		var answer map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%d: %q is no JSON: %v", w.Code, w.Body.Bytes(), err)
		}
		switch {
		case w.Code == http.StatusOK && target == "/transactions" && !bytes.Equal(raw, order.Raw()):
			t.Errorf("taken although nobody signed it: %x", raw)
		case w.Code == http.StatusOK && target == "/roster" && !bytes.Equal(raw, statement.Raw()) && !bytes.Equal(raw, p.statements[0].Raw()):
			t.Errorf("taken although no admin signed it: %x", raw)
		case w.Code == http.StatusInternalServerError:
			t.Errorf("%s: %v", target, answer)
		case w.Code != http.StatusOK && (answer["error"] == "" || answer["kind"] == ""):
			t.Errorf("%d without a reason: %v", w.Code, answer)
		}
	})
}

// machineOpen lets a gateway seal whose loops do not run.
func (b *board) machineOpen() {
	close(b.opened)
	b.station.machine = station.New(b.cfg.Machine)
}
