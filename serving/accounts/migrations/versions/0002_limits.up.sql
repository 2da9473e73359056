UPDATE plans SET limits = limits - ARRAY['api_keys', 'requests_per_minute'];
