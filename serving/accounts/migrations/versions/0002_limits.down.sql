UPDATE plans SET limits = limits || '{"api_keys": 2, "requests_per_minute": 120}' WHERE name = 'free';
UPDATE plans SET limits = limits || '{"api_keys": 10, "requests_per_minute": 1200}' WHERE name = 'pro';
UPDATE plans SET limits = limits || '{"api_keys": 50, "requests_per_minute": 6000}' WHERE name = 'team';
