DROP TABLE alert_positions, alert_deliveries, alert_events, alerts, destinations;
UPDATE plans SET limits = limits - ARRAY['alerts', 'destinations'];
