package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"traveler.example/ledger"
)

// client is a Desk on the far end of a control socket.
type client struct {
	path string
	http http.Client
}

// Dial returns the Desk of the daemon that listens on a control socket. It tries
// the socket, and wraps ErrUnreachable if nobody answers.
func Dial(path string) (Desk, error) {
	c := &client{path: path}
	c.http.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
		MaxIdleConns: 2,
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("%w: no daemon answers on %s: %w", ErrUnreachable, path, err)
	}
	return c, conn.Close()
}

func (c *client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// ask sends one request and reads the answer into out.
func (c *client) ask(ctx context.Context, method, path string, q url.Values, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://gateway"+path+"?"+q.Encode(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %s: %w", ErrUnreachable, c.path, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end or of no interest
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			return fmt.Errorf("answer of %s: %w", c.path, err)
		}
		return nil
	}
	var f failure
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if json.Unmarshal(text, &f) != nil {
		return fmt.Errorf("%s answers %s: %.200s", c.path, resp.Status, text)
	}
	return remoteError(f)
}

// UnmarshalJSON reads the body as what the kind says that it is.
func (d *TxDocument) UnmarshalJSON(text []byte) error {
	type plain TxDocument
	raw := struct {
		*plain
		Body json.RawMessage `json:"body"`
	}{plain: (*plain)(d)}
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	var err error
	d.Body, err = bodyOf(d.Kind, raw.Body)
	return err
}

func bodyOf(kind string, text []byte) (any, error) {
	switch kind {
	case ledger.KindOrder.String():
		return read[ledger.Order](text)
	case ledger.KindIntake.String():
		return read[ledger.Intake](text)
	case ledger.KindReport.String():
		return read[ledger.Report](text)
	case ledger.KindVerdict.String():
		return read[ledger.Verdict](text)
	case ledger.KindDisposition.String():
		return read[ledger.Disposition](text)
	case ledger.KindWithdraw.String():
		return read[ledger.Withdraw](text)
	case ledger.KindAmend.String():
		return read[ledger.Amend](text)
	case ledger.KindBind.String():
		return read[ledger.Bind](text)
	case ledger.KindMisroute.String():
		return read[ledger.Misroute](text)
	}
	return read[ledger.Unknown](text)
}

func read[T any](text []byte) (any, error) {
	var out T
	if len(text) == 0 {
		return nil, nil
	}
	err := json.Unmarshal(text, &out)
	return out, err
}

// remoteError is the daemon's error with what it wrapped there.
func remoteError(f failure) error {
	for _, k := range kinds {
		if k.name == f.Kind {
			return &distantError{text: f.Error, kind: k.err}
		}
	}
	return errors.New(f.Error)
}

type distantError struct {
	text string
	kind error
}

func (e *distantError) Error() string { return e.text }
func (e *distantError) Unwrap() error { return e.kind }

// get asks for a document.
func get[T any](ctx context.Context, c *client, path string, q url.Values) (T, error) {
	var out T
	err := c.ask(ctx, http.MethodGet, path, q, nil, &out)
	return out, err
}

func byID(id string) url.Values { return url.Values{"id": {id}} }

func (c *client) Status(ctx context.Context) (Status, error) {
	return get[Status](ctx, c, "/status", nil)
}

func (c *client) Peers(ctx context.Context) ([]Peer, error) {
	return get[[]Peer](ctx, c, "/peers", nil)
}

func (c *client) Items(ctx context.Context, q ItemQuery) ([]ItemLine, error) {
	return get[[]ItemLine](ctx, c, "/items", url.Values{"phase": {q.Phase}, "after": {q.After}, "limit": {strconv.Itoa(q.Limit)}})
}

func (c *client) Item(ctx context.Context, id string) (ItemDocument, error) {
	return get[ItemDocument](ctx, c, "/item", byID(id))
}

func (c *client) Orders(ctx context.Context) ([]OrderDocument, error) {
	return get[[]OrderDocument](ctx, c, "/orders", nil)
}

func (c *client) Order(ctx context.Context, id string) (OrderDocument, error) {
	return get[OrderDocument](ctx, c, "/order", byID(id))
}

func (c *client) Blocks(ctx context.Context, q BlockQuery) ([]BlockLine, error) {
	return get[[]BlockLine](ctx, c, "/blocks", url.Values{
		"author": {q.Author}, "from": {strconv.FormatUint(q.From, 10)}, "limit": {strconv.Itoa(q.Limit)},
	})
}

func (c *client) Block(ctx context.Context, id string) (BlockDocument, error) {
	return get[BlockDocument](ctx, c, "/block", byID(id))
}

func (c *client) Transaction(ctx context.Context, id string) (TxDocument, error) {
	return get[TxDocument](ctx, c, "/transaction", byID(id))
}

func (c *client) Roster(ctx context.Context) (RosterDocument, error) {
	return get[RosterDocument](ctx, c, "/roster", nil)
}

func (c *client) Statements(ctx context.Context) ([]StatementDocument, error) {
	return get[[]StatementDocument](ctx, c, "/statements", nil)
}

func (c *client) Chain(ctx context.Context, gateway string, keep []string) (ChainEnd, error) {
	return get[ChainEnd](ctx, c, "/chain", url.Values{"id": {gateway}, "keep": keep})
}

func (c *client) Bindings(ctx context.Context, item string) (BindingsDocument, error) {
	return get[BindingsDocument](ctx, c, "/bindings", byID(item))
}

func (c *client) Evidence(ctx context.Context) ([]EvidenceDocument, error) {
	return get[[]EvidenceDocument](ctx, c, "/evidence", nil)
}

func (c *client) Stats(ctx context.Context) (StatsDocument, error) {
	return get[StatsDocument](ctx, c, "/stats", nil)
}

func (c *client) Rule(ctx context.Context, item string) (Heads, error) {
	return get[Heads](ctx, c, "/heads", byID(item))
}

func (c *client) Submit(ctx context.Context, raw []byte) (Receipt, error) {
	var out Receipt
	err := c.ask(ctx, http.MethodPost, "/transactions", nil, raw, &out)
	return out, err
}

func (c *client) Withdraw(ctx context.Context, item, reason string) (Receipt, error) {
	var out Receipt
	err := c.ask(ctx, http.MethodPost, "/withdraw", url.Values{"id": {item}, "reason": {reason}}, nil, &out)
	return out, err
}

func (c *client) Amend(ctx context.Context, item string, body ledger.Amend) (Receipt, error) {
	return c.post(ctx, "/amend", item, body)
}

func (c *client) Bind(ctx context.Context, item string, q BindQuery) (Receipt, error) {
	return c.post(ctx, "/bind", item, q)
}

// post asks for something to be sealed about an item.
func (c *client) post(ctx context.Context, path, item string, what any) (Receipt, error) {
	raw, err := json.Marshal(what)
	if err != nil {
		return Receipt{}, err
	}
	var out Receipt
	err = c.ask(ctx, http.MethodPost, path, byID(item), raw, &out)
	return out, err
}

func (c *client) Operate(ctx context.Context, w OperatorWord) error {
	raw, err := json.Marshal(w)
	if err != nil {
		return err
	}
	var out struct{}
	return c.ask(ctx, http.MethodPost, "/station", nil, raw, &out)
}

func (c *client) TestLights(ctx context.Context) ([]LampTest, error) {
	var out []LampTest
	err := c.ask(ctx, http.MethodPost, "/lamp-test", nil, nil, &out)
	return out, err
}

func (c *client) Enrol(ctx context.Context, statement []byte) error {
	var out struct{}
	return c.ask(ctx, http.MethodPost, "/roster", nil, statement, &out)
}
