package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// ListenControl opens the control socket: mode 0660, so that its group may talk
// to the gateway. A socket that a dead daemon left is replaced, a living one is
// not.
func ListenControl(path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), l.Close())
	}
	return l, nil
}

// removeStale removes the socket of a daemon that is dead, and nothing else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("control socket: %w", err)
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("control socket %s: a file of another kind is there (%v); remedy: name another path, or move it away", path, info.Mode().Type())
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = c.Close()
		return fmt.Errorf("control socket %s: another daemon answers on it", path)
	case !errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("control socket %s: whether a daemon lives behind it cannot be told: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

// controlBody and controlTimeout bound what one request may cost.
const (
	controlBody    = ledger.MaxStatement // the largest object that is handed in
	controlTimeout = 30 * time.Second
)

// ServeControl answers on the control socket until ctx ends, closes it, and
// returns when the last request has been answered: the Desk as HTTP with JSON.
func (a *Agent) ServeControl(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	requests := &counted{Handler: a.controlHandler()}
	server := &http.Server{
		Handler:           requests,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: controlTimeout, WriteTimeout: controlTimeout,
		MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog: slog.NewLogLogger(a.parts.Journal.Logger().Handler(), slog.LevelDebug),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-ctx.Done()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(bounded) != nil {
			_ = server.Close()
		}
	}()
	err := server.Serve(l)
	cancel()
	<-ended
	requests.end() // those whose connections had to be cut
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// counted waits for the requests under way, which a server does not whose
// connections are cut.
type counted struct {
	http.Handler
	mu    sync.Mutex
	over  bool
	under sync.WaitGroup
}

// ServeHTTP implements [http.Handler].
func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return
	}
	c.under.Add(1)
	c.mu.Unlock()
	defer c.under.Done()
	c.Handler.ServeHTTP(w, r)
}

// end lets nobody in any more and waits for the rest.
func (c *counted) end() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.under.Wait()
}

// question is a request to the Desk: it returns what is to be written as JSON.
type question func(ctx context.Context, d Desk, r *http.Request) (any, error)

// questions are the control socket's paths.
var questions = map[string]question{
	"GET /status":   func(ctx context.Context, d Desk, _ *http.Request) (any, error) { return d.Status(ctx) },
	"GET /peers":    func(ctx context.Context, d Desk, _ *http.Request) (any, error) { return d.Peers(ctx) },
	"GET /orders":   func(ctx context.Context, d Desk, _ *http.Request) (any, error) { return d.Orders(ctx) },
	"GET /roster":   func(ctx context.Context, d Desk, _ *http.Request) (any, error) { return d.Roster(ctx) },
	"GET /evidence": func(ctx context.Context, d Desk, _ *http.Request) (any, error) { return d.Evidence(ctx) },
	"GET /stats":    func(ctx context.Context, d Desk, _ *http.Request) (any, error) { return d.Stats(ctx) },
	"GET /items": func(ctx context.Context, d Desk, r *http.Request) (any, error) {
		q := r.URL.Query()
		limit, err := number(q.Get("limit"), strconv.Atoi)
		if err != nil {
			return nil, err
		}
		return d.Items(ctx, ItemQuery{Phase: q.Get("phase"), After: q.Get("after"), Limit: limit})
	},
	"GET /blocks": func(ctx context.Context, d Desk, r *http.Request) (any, error) {
		q := r.URL.Query()
		limit, err := number(q.Get("limit"), strconv.Atoi)
		if err != nil {
			return nil, err
		}
		from, err := number(q.Get("from"), parseHeight)
		if err != nil {
			return nil, err
		}
		return d.Blocks(ctx, BlockQuery{Author: q.Get("author"), From: from, Limit: limit})
	},
	"GET /statements": func(ctx context.Context, d Desk, _ *http.Request) (any, error) { return d.Statements(ctx) },
	"GET /bindings":   func(ctx context.Context, d Desk, r *http.Request) (any, error) { return d.Bindings(ctx, id(r)) },
	"GET /chain": func(ctx context.Context, d Desk, r *http.Request) (any, error) {
		return d.Chain(ctx, id(r), r.URL.Query()["keep"])
	},
	"GET /item":        func(ctx context.Context, d Desk, r *http.Request) (any, error) { return d.Item(ctx, id(r)) },
	"GET /heads":       func(ctx context.Context, d Desk, r *http.Request) (any, error) { return d.Rule(ctx, id(r)) },
	"GET /order":       func(ctx context.Context, d Desk, r *http.Request) (any, error) { return d.Order(ctx, id(r)) },
	"GET /block":       func(ctx context.Context, d Desk, r *http.Request) (any, error) { return d.Block(ctx, id(r)) },
	"GET /transaction": func(ctx context.Context, d Desk, r *http.Request) (any, error) { return d.Transaction(ctx, id(r)) },
	"POST /transactions": func(ctx context.Context, d Desk, r *http.Request) (any, error) {
		raw, err := body(r)
		if err != nil {
			return nil, err
		}
		return d.Submit(ctx, raw)
	},
	"POST /withdraw": func(ctx context.Context, d Desk, r *http.Request) (any, error) {
		return d.Withdraw(ctx, id(r), r.URL.Query().Get("reason"))
	},
	"POST /amend": func(ctx context.Context, d Desk, r *http.Request) (any, error) {
		var body ledger.Amend
		if err := document(r, &body); err != nil {
			return nil, err
		}
		return d.Amend(ctx, id(r), body)
	},
	"POST /bind": func(ctx context.Context, d Desk, r *http.Request) (any, error) {
		var q BindQuery
		if err := document(r, &q); err != nil {
			return nil, err
		}
		return d.Bind(ctx, id(r), q)
	},
	"POST /station": func(ctx context.Context, d Desk, r *http.Request) (any, error) {
		var w OperatorWord
		if err := document(r, &w); err != nil {
			return nil, err
		}
		return struct{}{}, d.Operate(ctx, w)
	},
	"POST /lamp-test": func(ctx context.Context, d Desk, _ *http.Request) (any, error) { return d.TestLights(ctx) },
	"POST /roster": func(ctx context.Context, d Desk, r *http.Request) (any, error) {
		raw, err := body(r)
		if err != nil {
			return nil, err
		}
		return struct{}{}, d.Enrol(ctx, raw)
	},
}

func id(r *http.Request) string { return r.URL.Query().Get("id") }

// number reads a number; empty is 0.
func number[N int | uint64](s string, parse func(string) (N, error)) (N, error) {
	if s == "" {
		return 0, nil
	}
	n, err := parse(s)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is not a number", ErrRefused, s)
	}
	return n, nil
}

func parseHeight(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) }

func body(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, controlBody+1))
	if err != nil {
		return nil, fmt.Errorf("%w: reading the request: %w", ErrRefused, err)
	}
	if len(raw) > controlBody {
		return nil, fmt.Errorf("%w: the request has more than %d bytes", ErrRefused, controlBody)
	}
	return raw, nil
}

// document reads a request's JSON.
func document(r *http.Request, into any) error {
	raw, err := body(r)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

func (a *Agent) controlHandler() http.Handler {
	mux := http.NewServeMux()
	d := a.Desk()
	for pattern, ask := range questions {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := ask(r.Context(), d, r)
			if err != nil {
				a.refuse(r, w, err)
				return
			}
			text, err := json.Marshal(answer)
			if err != nil {
				a.refuse(r, w, fmt.Errorf("writing the answer: %w", err))
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(text) // the client may have gone
		})
	}
	return mux
}

// failure is an error on its way to the client: its text and what it wraps.
type failure struct {
	Error string `json:"error"`
	Kind  string `json:"kind"`
}

// kinds of failures, by HTTP status.
var kinds = []struct {
	err    error
	name   string
	status int
}{
	{ErrNotFound, "not-found", http.StatusNotFound},
	{ErrAmbiguous, "ambiguous", http.StatusConflict},
	{ErrNotPermitted, "not-permitted", http.StatusForbidden},
	{ErrConflict, "conflict", http.StatusConflict},
	{ErrRefused, "refused", http.StatusNotAcceptable},
	{ErrUnreachable, "unreachable", http.StatusServiceUnavailable},
	{ErrStopped, "stopped", http.StatusServiceUnavailable},
}

func (a *Agent) refuse(r *http.Request, w http.ResponseWriter, err error) {
	f, status := failure{Error: err.Error(), Kind: "failed"}, http.StatusInternalServerError
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			f.Kind, status = k.name, k.status
			break
		}
	}
	if r.Method == http.MethodPost {
		a.limiter.Event(r.Context(), journal.ControlRefused, f.Kind, "a request on the control socket was refused: "+f.Error,
			slog.String(journal.KeyReason, f.Error))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(f)
}
