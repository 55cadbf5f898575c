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
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// ListenControl opens the control socket: mode 0660, so that its group may talk
// to the gateway. A socket that a dead daemon left is replaced, a living one is
// not.
func ListenControl(path string) (net.Listener, error) {
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("control socket %s: another daemon answers on it", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
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

// controlLimits bound what one connection may cost.
const (
	controlBody    = ledger.MaxStatement + 1024
	controlTimeout = 30 * time.Second
)

// ServeControl answers on the control socket until ctx ends: the Desk as HTTP
// with JSON.
func (a *Agent) ServeControl(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           a.controlHandler(),
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
	<-ended
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
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
		n, err := number(q.Get("limit"))
		if err != nil {
			return nil, err
		}
		return d.Items(ctx, ItemQuery{Phase: q.Get("phase"), After: q.Get("after"), Limit: int(n)})
	},
	"GET /blocks": func(ctx context.Context, d Desk, r *http.Request) (any, error) {
		q := r.URL.Query()
		n, err := number(q.Get("limit"))
		if err != nil {
			return nil, err
		}
		from, err := number(q.Get("from"))
		if err != nil {
			return nil, err
		}
		return d.Blocks(ctx, BlockQuery{Author: q.Get("author"), From: from, Limit: int(n)})
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
	"POST /roster": func(ctx context.Context, d Desk, r *http.Request) (any, error) {
		raw, err := body(r)
		if err != nil {
			return nil, err
		}
		return struct{}{}, d.Enrol(ctx, raw)
	},
}

func id(r *http.Request) string { return r.URL.Query().Get("id") }

func number(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is not a number", ErrRefused, s)
	}
	return n, nil
}

func body(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, controlBody))
	if err != nil {
		return nil, fmt.Errorf("%w: reading the request: %w", ErrRefused, err)
	}
	return raw, nil
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
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer) // the client may have gone
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
