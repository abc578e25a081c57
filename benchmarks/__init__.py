"""Commands that measure speed and memory against plain baselines: python -m benchmarks.NAME"""
