package line

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"traveler.example/agent"
	"traveler.example/ledger"
	"traveler.example/ledger/orderfile"
)

//go:embed orders/*.toml
var orderFiles embed.FS

// ordersName is the directory of the order files, for people to look at.
const ordersName = "orders"

// IssueOrders has the planner sign the line's three work orders, hands them to
// intake's gateway and returns when every gateway has them. The order files are
// left in the network's directory.
func (l *Line) IssueOrders(ctx context.Context) error {
	planner, err := l.network.Person(Planner)
	if err != nil {
		return err
	}
	files, err := orderFiles.ReadDir(ordersName)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(l.cfg.Dir, ordersName), 0o755); err != nil {
		return fmt.Errorf("writing the orders: %w", err)
	}
	var orders []ledger.Order
	for _, f := range files {
		name := ordersName + "/" + f.Name()
		text, err := orderFiles.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(l.cfg.Dir, name), text, 0o644); err != nil {
			return fmt.Errorf("writing the orders: %w", err)
		}
		o, err := orderfile.Parse(name, text)
		if err != nil {
			return err
		}
		t, err := ledger.SignTx(l.network.Genesis.Network(), ledger.Tx{Time: time.Now().UnixMilli(), Body: o}, planner)
		if err != nil {
			return fmt.Errorf("signing order %s: %w", o.ID, err)
		}
		err = l.Station(Intake).ask(ctx, func(ctx context.Context, d agent.Desk) error {
			_, err := d.Submit(ctx, t.Raw())
			return err
		})
		if err != nil {
			return fmt.Errorf("submitting order %s: %w", o.ID, err)
		}
		orders = append(orders, o)
	}
	for _, s := range l.stations {
		if err := s.awaitOrders(ctx, orders); err != nil {
			return fmt.Errorf("gateway %s does not get the orders: %w", s.Gateway, err)
		}
	}
	return nil
}

func (s *Station) awaitOrders(ctx context.Context, orders []ledger.Order) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := s.ask(ctx, func(ctx context.Context, d agent.Desk) error {
			for _, o := range orders {
				if _, err := d.Order(ctx, o.ID); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil || !errors.Is(err, agent.ErrNotFound) && !errors.Is(err, agent.ErrUnreachable) {
			return err
		}
		if err := sleep(ctx, askPause); err != nil {
			return err
		}
	}
}
